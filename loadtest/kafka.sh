#!/usr/bin/env bash
# From the venue's socket to the client's through a real Kafka, all on this machine:
# `bash loadtest/kafka.sh [1|3]` brokers. Simulated exchanges, one ingest worker, one gateway and the
# load are processes of their own. Prints the load test's report (latency from the venue, from ingest,
# from the gateway's tail) and what each process took of a core meanwhile.
#
#   TRADES, BOOKS     a second, as `fantail simulate` takes them; together about 4,800 events a second
#   SECONDS_EACH      measured, after ten seconds that are not
#   SET               further settings of ingest and gateway, e.g. "bus.partitions=1 bus.kafka.linger=1ms"
#
# Wants a release build of fantail and fantail-loadtest, java 17 and mvn (tests/kafka/broker.sh), python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin="${FANTAIL_BIN:-target/release}"
brokers="${1:-1}"
seconds="${SECONDS_EACH:-30}"
export FANTAIL_KAFKA_PORT="${FANTAIL_KAFKA_PORT:-19392}"
scratch=$(mktemp -d)
pids=()
others=()
names=()

finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  tests/kafka/broker.sh stop
  rm -rf "$scratch"
}
trap finish EXIT

said() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }

# Starts a process in the background that says one line, $line, when it is up.
start() { # NAME ARGUMENT…
  mkfifo "$scratch/$1"
  "$bin/fantail" "${@:2}" >"$scratch/$1" 2>"$scratch/$1.log" &
  pids+=($!)
  names+=("$1")
  exec {said}<"$scratch/$1"
  read -rt 60 line <&"$said" || { cat "$scratch/$1.log" >&2; echo "$1 says nothing" >&2; exit 1; }
}

# CPU of a process so far, in hundredths of a second.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

tests/kafka/broker.sh start "$brokers"
for broker in $(seq "$brokers"); do
  names+=("broker $broker")
  others+=("$(cat "${FANTAIL_KAFKA_DIR:-target/kafka}/node$broker/pid")")
done
start venues simulate --json --calm --symbols 3 \
  --trades-per-s "${TRADES:-430}" --book-updates-per-s "${BOOKS:-860}"
played=$line
mapfile -t set < <(python3 -c 'import json, sys
for flag in json.loads(sys.argv[1])["set"]: print("--set", flag, sep="\n")' "$line")
list=$(tests/kafka/broker.sh brokers | sed 's/,/","/g')
set+=(--set bus.kind=kafka --set "bus.kafka.brokers=[\"$list\"]" --set "bus.kafka.replication=$brokers")
for one in ${SET:-}; do set+=(--set "$one"); done
common=(--set auth.anonymous=true --set gateway.shards=1 --set log.level=warn --set admin.addr=127.0.0.1:0)
"$bin/fantail" topics create "${set[@]}" >/dev/null
start ingest run --role ingest --json "${set[@]}" "${common[@]}"
start gateway run --role gateway --json --set listen.addr=127.0.0.1:0 "${set[@]}" "${common[@]}"
target=$(said "$line" ws)
admin=$(said "$line" admin)
# Until every market has been heard of: what comes before is no part of it.
markets=$(python3 -c 'import json, sys
line = json.loads(sys.argv[1])
print(len(line["binance"]) + len(line["coinbase"]))' "$played")
live() {
  python3 -c 'import json, sys, urllib.request
page = sys.argv[1].replace("ws://", "http://").replace("/v1/stream", "/v1/status")
feeds = json.load(urllib.request.urlopen(page, timeout=5))["feeds"]
sys.exit(sum(feed["state"] == "live" and feed.get("symbol") is not None for feed in feeds) < int(sys.argv[2]))' \
    "$target" "$markets" 2>/dev/null
}
for _ in {1..300}; do ! live || break; sleep 0.2; done
live || { echo "the markets are not live after a minute" >&2; exit 1; }

all=("${others[@]}" "${pids[@]}")
before=()
for pid in "${all[@]}"; do before+=("$(ticks "$pid")"); done
began=$(date +%s%N)
"$bin/fantail-loadtest" plan loadtest/plans/kafka.toml --target "$target" --pid "${pids[-1]}" --admin "$admin" \
  --duration "$seconds" || echo "exit code $?"
took=$((($(date +%s%N) - began) / 10000000))
for at in "${!all[@]}"; do
  printf '%-10s %3d %% of a core\n' "${names[at]}" $((100 * ($(ticks "${all[at]}") - before[at]) / took))
done
