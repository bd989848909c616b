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

# Starts a server that says in its first line, $line, where it is.
start() { # ARGUMENT…
  exec {server}< <(exec "$bin/fantail" "$@" --json 2>>target/plan.err)
  pid=$!
  read -r line <&"$server"
}

ended() {
  kill "$pid"
  wait "$pid" 2>/dev/null
  exec {server}<&-
}

against_replay() { # PLAN
  local recording
  recording=$(find "$recordings/binance-spot" -name '*.gz' 2>/dev/null | sort | grep hftbacktest | head -1)
  [[ -n $recording ]] || { echo "SKIPPED $1 against replay: no recording in $recordings"; return; }
  start replay "$recording" --speed 1 --listen 127.0.0.1:0
  load "$1" replay
  ended
}

against_demo() { # PLAN [ARGUMENT…]
  start demo "${@:2}" --listen 127.0.0.1:0
  load "$1" demo
  ended
}

against_run() { # PLAN [ARGUMENT…]
  local set venues simulate
  start simulate "${@:2}"
  mapfile -t set < <(python3 -c '
import json, sys
for pair in json.loads(sys.argv[1])["set"]:
    print("--set", pair, sep="\n")' "$line")
  venues=$server simulate=$pid
  start run --set listen.addr=127.0.0.1:0 --set admin.addr=127.0.0.1:0 --set auth.anonymous=true \
    --set limits.connections_per_ip=50000 "${set[@]}"
  load "$1" run
  ended
  pid=$simulate server=$venues ended
}

mkdir -p target
for plan in loadtest/plans/*.toml; do
  mapfile -t words < <(python3 -c '
import sys, tomllib
print("\n".join(tomllib.load(open(sys.argv[1], "rb"))["server"]))' "$plan")
  if [[ ${words[0]} == replay ]]; then
    against_replay "$plan"
    words=(demo)
  fi
  against_demo "$plan" "${words[@]:1}"
  against_run "$plan" "${words[@]:1}"
done
exit "$failed"
