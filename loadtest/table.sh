#!/usr/bin/env bash
# The rows of RESULTS.md, measured again: `bash loadtest/table.sh [ROW…]`, all of them without names.
#
# Wants a release build of fantail and fantail-loadtest, two cores with nothing else on them (server on
# core 0, load on core 1), `ulimit -n 20000`, taskset and ss. All rows take about an hour. What each row
# prints goes to target/table/ROW.log, every figure of every pair to target/table/pairs.jsonl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin="${FANTAIL_BIN:-target/release}"
out="${FANTAIL_TABLE:-target/table}"
pairs="${PAIRS:-15}"
seconds="${SECONDS_EACH:-4}"
plans=loadtest/plans
mkdir -p "$out"
ulimit -n 20000

compare() { # PLAN [ARGUMENT…]
  "$bin/fantail-loadtest" compare "$plans/$1.toml" --fantail "$bin/fantail" --pairs "$pairs" \
    --seconds "$seconds" --log "$out/pairs.jsonl" "${@:2}"
}

# Starts a server and says in $pid, $ws and $admin where it is; its fan-out alone has core 0.
serve() { # ARGUMENT…
  exec {server}< <(exec taskset -c 0 "$bin/fantail" "$@" --listen 127.0.0.1:0 --json --set gateway.shards=1)
  pid=$!
  local said task
  read -r said <&"$server"
  ws=$(sed -E 's/.*"ws":"([^"]*)".*/\1/' <<<"$said")
  admin=$(sed -E 's/.*"admin":"([^"]*)".*/\1/' <<<"$said")
  for task in /proc/"$pid"/task/*; do
    case $(<"$task/comm") in
      shard-* | tail) ;;
      *) taskset -pc 1 "${task##*/}" >/dev/null ;;
    esac
  done
}

gone() {
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  exec {server}<&-
}

load() { taskset -c 1 "$bin/fantail-loadtest" "$@" || echo "exit code $?"; }
# The same, ahead of whatever else wants the core: it measures how long others let it wait.
knock() { nice -n "${KNOCK_NICE:--10}" taskset -c 1 "$bin/fantail-loadtest" knock --target "$ws" "$@"; }
market() { printf '%s ' demo --calm --symbols 1 --trades-per-s "$1" --book-updates-per-s "$1" --burst "$2"; }

# One client behind 100 ms: does its line alone make it a slow reader? Needs root and python3.
round_trip() {
  local say said ws token admin delay server
  exec {say}< <(exec python3 loadtest/delay.py 100)
  delay=$!
  read -r said <&"$say"
  # shellcheck disable=SC2046
  exec {server}< <(exec ip netns exec fantail-server "$bin/fantail" $(market 4000 40) \
    --listen 10.99.0.1:0 --set listen.tls_at_proxy=true --json)
  pid=$!
  read -r said <&"$server"
  ws=$(sed -E 's/.*"ws":"([^"]*)".*/\1/' <<<"$said")
  token=$(sed -E 's/.*"token":"([^"]*)".*/\1/' <<<"$said")
  admin=$(sed -E 's/.*"admin":"([^"]*)".*/\1/' <<<"$said")
  FANTAIL_TOKEN="$token" ip netns exec fantail-client "$bin/fantail-loadtest" plan "$plans/round-trip.toml" \
    --target "$ws" || echo "exit code $?"
  ip netns exec fantail-server curl -s "${admin}metrics" | grep -E '^fantail_gateway_(conflated|closed|degraded)' || true
  kill "$pid" "$delay"
  wait "$pid" "$delay" 2>/dev/null || true
  exec {server}<&- {say}<&-
}

# 1,000 sockets of one channel at a rate that is too high: what arrives, and are newcomers served?
overload() { # KIND RATE
  local plan="$out/overload-$1.toml"
  printf 'name = "1,000 × %s, %s/s offered"\nserver = ["demo"]\nreconnect = true\n' "$1" "$2" >"$plan"
  printf '[[group]]\nsockets = 1000\nchannels = ["%s:binance:BTC-USDT"]\n' "$1" >>"$plan"
  # shellcheck disable=SC2046
  serve $(market "$2" "$(($2 / 100))")
  load plan "$plan" --target "$ws" --pid "$pid" --admin "$admin" --duration 20 &
  local swarm=$!
  # The swarm has arrived and its backlog stands.
  read -rt 12 <&"$server" || true
  knock --duration 8 --every-ms 100 || echo "newcomers are not served"
  wait "$swarm"
  gone
}

row() {
  case $1 in
    1000x100) compare fan-out-1000x100 --goal 1.05 ;;
    1000x400) compare fan-out-1000x400 --goal 1.05 ;;
    10000x20) compare fan-out-10000x20 --goal 1.05 ;;
    burst-4 | burst-16) compare "$1" --goal 1.10 ;;
    # The same without the wake-ups of the swarm, which a sender pays for: read once in 2 ms.
    clock-1000x* | clock-10000x*) compare "fan-out-${1#clock-}" --goal 1.05 --read-every-ms 2 ;;
    clock-burst-*) compare "${1#clock-}" --goal 1.10 --read-every-ms 2 ;;
    clock-flush) compare fan-out-1000x100 --contest flush --goal 0.98 --read-every-ms 2 ;;
    1000x3000) compare fan-out-1000x3000 --read-every-ms 5 ;;
    io-uring) compare fan-out-1000x100 --contest io-uring --goal 0.98 ;;
    flush) compare fan-out-1000x100 --contest flush --goal 0.98 ;;
    shards) compare fan-out-1000x50 --contest shards --goal 1.05 ;;
    deflate) compare deflate --contest deflate --goal 1.10 ;;
    slow) compare slow-tenth --contest slow --goal 1.10 ;;
    capacity)
      "$bin/fantail-loadtest" capacity "$plans/fan-out-1000x3000.toml" --fantail "$bin/fantail"
      ;;
    knock)
      # shellcheck disable=SC2046
      serve $(market 10 1)
      load plan "$plans/fan-out-10000x20.toml" --target "$ws" --pid "$pid" --rate 10 --duration 15 &
      local swarm=$!
      read -rt 12 <&"$server" || true
      knock --duration 10 --every-ms 37
      wait "$swarm"
      gone
      ;;
    overload-bbo) overload bbo "${OVERLOAD:-8000}" ;;
    overload-trade) overload trade "${OVERLOAD:-8000}" ;;
    round-trip) round_trip ;;
    kafka) bash loadtest/kafka.sh 1 ;;
    kafka-3) bash loadtest/kafka.sh 3 ;;
    idle-19k)
      # shellcheck disable=SC2046
      serve $(market 0.01 1)
      load plan "$plans/idle-19k.toml" --target "$ws" --pid "$pid"
      gone
      ;;
    idle-45k)
      local swarms=() servers=()
      for _ in 1 2 3; do
        # shellcheck disable=SC2046
        serve $(market 0.01 1)
        servers+=("$pid")
        load idle 15000 --target "$ws" --pid "$pid" &
        swarms+=($!)
      done
      wait "${swarms[@]}"
      kill "${servers[@]}"
      ;;
    churn)
      # shellcheck disable=SC2046
      serve $(market 0.01 1)
      load churn --target "$ws" --pid "$pid" --cycles "${CYCLES:-1000000}"
      gone
      ;;
    *)
      echo "no row $1" >&2
      return 1
      ;;
  esac
}

rows=("$@")
failed=()
if ((${#rows[@]} == 0)); then
  rows=(1000x100 1000x400 10000x20 burst-4 burst-16 1000x3000 io-uring flush shards deflate slow capacity
    knock overload-bbo overload-trade round-trip kafka kafka-3 idle-19k idle-45k churn
    clock-1000x100 clock-1000x400 clock-10000x20 clock-burst-4 clock-burst-16 clock-flush)
fi
for name in "${rows[@]}"; do
  printf '== %s, %s, load %s\n' "$name" "$(date -u +%FT%TZ)" "$(cut -d' ' -f1 /proc/loadavg)"
  # A row that fails is told, and does not cost the others their figures.
  set +e
  (set -e; row "$name") 2>&1 | tee "$out/$name.log"
  code=${PIPESTATUS[0]}
  set -e
  ((code == 0)) || failed+=("$name")
done
((${#failed[@]} == 0)) || { echo "no figure: ${failed[*]}" >&2; exit 1; }
