#!/usr/bin/env bash
# A real Apache Kafka (KRaft) on loopback, without Docker: fetches Kafka's own artifacts with Maven
# and runs them with Java. For tests and development; it keeps nothing of worth.
#
#   broker.sh fetch              the artifacts only (once; kept in $FANTAIL_KAFKA_DIR/libs)
#   broker.sh start [1|3]        a fresh cluster of 1 (default) or 3 brokers; returns when it is ready
#   broker.sh stop               ends all brokers
#   broker.sh status             one line a broker; fails unless all run
#   broker.sh brokers            prints host:port,... of the cluster
#   broker.sh kill|pause|resume|restart N    faults: SIGKILL, SIGSTOP, SIGCONT, start again on its data
#
# FANTAIL_KAFKA_DIR   where everything is kept (target/kafka)
# FANTAIL_KAFKA_PORT  port of broker 1 (19092); broker N is at +10*(N-1), controllers one above. Two above
#                     it listens once more, and says there that it is to be reached three above: whoever puts
#                     a relay between the two can cut off those who came by it, and nobody else
# FANTAIL_KAFKA_HEAP  heap of one broker (384m)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${FANTAIL_KAFKA_DIR:-$here/../../target/kafka}
base=${FANTAIL_KAFKA_PORT:-19092}
heap=${FANTAIL_KAFKA_HEAP:-384m}
ready_seconds=90
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

say() { echo "broker.sh: $*" >&2; }
die() { say "$*"; exit 1; }

port() { echo $((base + 10 * ($1 - 1))); }
size() { cat "$dir/size" 2>/dev/null || echo 0; }
home() { echo "$dir/node$1"; }

# The process of broker N, if it is ours and alive: a pid file may outlive its process.
pid() {
  local file; file=$(home "$1")/pid
  [ -f "$file" ] || return 1
  local pid; pid=$(cat "$file")
  # Where there is no /proc, ps tells the same.
  local line; line=$({ tr '\0' ' ' < "/proc/$pid/cmdline"; } 2>/dev/null || ps -o args= -p "$pid" 2>/dev/null) || return 1
  [[ $line == *"$(home "$1")/server.properties"* ]] || return 1
  echo "$pid"
}

fetch() {
  [ "$dir/libs/complete" -nt "$here/pom.xml" ] && return
  command -v java >/dev/null || die "needs java (17 or newer)"
  command -v mvn >/dev/null || die "needs mvn"
  say "fetching Apache Kafka into $dir/libs"
  rm -rf "$dir/libs"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$dir/libs" --no-transfer-progress >&2
  touch "$dir/libs/complete"
}

# java expands libs/* itself. Log4j's default prints errors only.
kafka() { java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -Dlog4j2.level=INFO -cp "$dir/libs/*" "$@"; }

properties() {
  local node=$1 count=$2 quorum="" n
  for n in $(seq "$count"); do quorum+="${quorum:+,}$n@127.0.0.1:$(($(port "$n") + 1))"; done
  local replicas=$count in_sync=$((count > 1 ? count - 1 : 1))
  cat <<P
process.roles=broker,controller
node.id=$node
listeners=PLAINTEXT://127.0.0.1:$(port "$node"),CONTROLLER://127.0.0.1:$(($(port "$node") + 1)),DETOUR://127.0.0.1:$(($(port "$node") + 2))
advertised.listeners=PLAINTEXT://127.0.0.1:$(port "$node"),DETOUR://127.0.0.1:$(($(port "$node") + 3))
controller.quorum.voters=$quorum
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DETOUR:PLAINTEXT
log.dirs=$(home "$node")/data
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=1000
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
P
}

launch() {
  local node=$1 log
  log=$(home "$node")/kafka.log
  # Its own session: a Ctrl-C in the terminal that started it doesn't end it.
  setsid nohup java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -Dlog4j2.level=INFO \
    -cp "$dir/libs/*" kafka.Kafka "$(home "$node")/server.properties" > "$log" 2>&1 < /dev/null &
  echo $! > "$(home "$node")/pid"
}

await() {
  local node=$1 log waited=0
  log=$(home "$node")/kafka.log
  until grep -qs "Kafka Server started" "$log" && (: < "/dev/tcp/127.0.0.1/$(port "$node")") 2>/dev/null; do
    pid "$node" >/dev/null || [ "$waited" -lt 3 ] || { tail -20 "$log" >&2; die "broker $node ended"; }
    [ "$waited" -lt $((ready_seconds * 5)) ] || { tail -20 "$log" >&2; die "broker $node is not ready after ${ready_seconds}s"; }
    sleep 0.2; waited=$((waited + 1))
  done
}

start() {
  local count=${1:-1} node id
  [[ "$count" == 1 || "$count" == 3 ]] || die "start 1 or 3 brokers"
  fetch
  stop
  # A cluster id is 16 bytes in URL-safe base64; Kafka's own tool takes a second to make one.
  id=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)
  echo "$count" > "$dir/size"
  for node in $(seq "$count"); do
    rm -rf "$(home "$node")"
    mkdir -p "$(home "$node")"
    properties "$node" "$count" > "$(home "$node")/server.properties"
    kafka kafka.tools.StorageTool format -t "$id" -c "$(home "$node")/server.properties" > "$(home "$node")/format.log" 2>&1 \
      || { cat "$(home "$node")/format.log" >&2; die "formatting broker $node failed"; }
    launch "$node"
  done
  for node in $(seq "$count"); do await "$node"; done
  say "ready: $(brokers)"
}

stop() {
  local node pid waited
  for node in 1 2 3; do
    pid=$(pid "$node") || continue
    # A stopped process doesn't hear TERM.
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
  done
  for node in 1 2 3; do
    pid=$(pid "$node") || { rm -f "$(home "$node")/pid"; continue; }
    for waited in $(seq 75); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$(home "$node")/pid"
  done
}

status() {
  local node count; count=$(size)
  [ "$count" -gt 0 ] || { echo "no cluster"; return 1; }
  local all=0
  for node in $(seq "$count"); do
    if pid "$node" >/dev/null; then echo "broker $node: pid $(pid "$node"), 127.0.0.1:$(port "$node")"
    else echo "broker $node: down"; all=1; fi
  done
  return $all
}

brokers() {
  local node list=""
  for node in $(seq "$(size)"); do list+="${list:+,}127.0.0.1:$(port "$node")"; done
  echo "$list"
}

signal() { local pid; pid=$(pid "$2") || die "broker $2 doesn't run"; kill "-$1" "$pid"; }

case "${1:-}" in
  fetch|stop|status|brokers) "$1" ;;
  start) start "${2:-1}" ;;
  kill) signal KILL "${2:?which broker}"; rm -f "$(home "$2")/pid" ;;
  pause) signal STOP "${2:?which broker}" ;;
  resume) signal CONT "${2:?which broker}" ;;
  restart) pid "${2:?which broker}" >/dev/null && die "broker $2 runs"; launch "$2"; await "$2" ;;
  *) sed -n '2,/^set/p' "$0" | grep '^#' >&2; exit 2 ;;
esac
