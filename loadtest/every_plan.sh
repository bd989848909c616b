#!/usr/bin/env bash
# Every plan against `fantail demo` and against `fantail run` (on simulated exchanges), a few seconds
# each: `bash loadtest/every_plan.sh [SECONDS]`. Plans that want a recording are played `fantail replay`
# of the first one of FANTAIL_RECORDINGS. Fails if any run lost or mixed up a message; a run that could
# not deliver its plan's rate here says so and does not fail.
#
# Wants a release build of fantail and fantail-loadtest, `ulimit -n 20000`, python3.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin="${FANTAIL_BIN:-target/release}"
seconds="${1:-5}"
recordings="${FANTAIL_RECORDINGS:-../shared/recordings}"
ulimit -n 20000
failed=0

said() { python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"; }

# One plan against the server that has said $line: exit code 3 says that the rate was not reached here.
load() { # PLAN SERVER
  local code
  "$bin/fantail-loadtest" plan "$1" --target "$(said "$line" ws)" --pid "$(said "$line" pid)" \
    --duration "$seconds" >target/plan.log 2>&1
  code=$?
  printf '%-44s %-7s exit %s: %s\n' "$(basename "$1")" "$2" "$code" "$(grep -E 'verdict|error' target/plan.log | tail -1)"
  if ((code != 0 && code != 3)); then
    tail -20 target/plan.log
    failed=1
  fi
}

ended() { # PID…
  kill "$@"
  wait "$@" 2>/dev/null
}

mkdir -p target
for plan in loadtest/plans/*.toml; do
  mapfile -t words < <(python3 -c '
import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["server"]))' "$plan")
  if [[ ${words[0]} == replay ]]; then
    recording=$(find "$recordings/binance-spot" -name '*.gz' 2>/dev/null | sort | grep hftbacktest | head -1)
    [[ -n $recording ]] || { echo "SKIPPED $plan: no recording in $recordings"; continue; }
    words=(replay "$recording" --speed 1)
    exec {server}< <(exec "$bin/fantail" "${words[@]}" --listen 127.0.0.1:0 --json 2>>target/plan.err)
    pid=$!
    read -r line <&"$server"
    load "$plan" replay
    ended "$pid"
    exec {server}<&-
    words=(demo)
  fi
  exec {server}< <(exec "$bin/fantail" "${words[@]}" --listen 127.0.0.1:0 --json 2>>target/plan.err)
  pid=$!
  read -r line <&"$server"
  load "$plan" demo
  ended "$pid"
  exec {server}<&-

  exec {venues}< <(exec "$bin/fantail" simulate "${words[@]:1}" --json 2>>target/plan.err)
  simulate=$!
  read -r line <&"$venues"
  mapfile -t set < <(python3 -c '
import json, sys
for pair in json.loads(sys.argv[1])["set"]:
    print("--set", pair, sep="\n")' "$line")
  exec {server}< <(exec "$bin/fantail" run --json --set listen.addr=127.0.0.1:0 \
    --set admin.addr=127.0.0.1:0 --set auth.anonymous=true "${set[@]}" 2>>target/plan.err)
  pid=$!
  read -r line <&"$server"
  load "$plan" run
  ended "$pid" "$simulate"
  exec {server}<&- {venues}<&-
done
exit "$failed"
