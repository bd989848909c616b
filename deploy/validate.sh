#!/usr/bin/env bash
# Checks what can be checked of deploy/, docker-compose.yml and k8s/ without Docker and without a
# cluster, with each tool's own parser:
#
#   haproxy -c          the balancer's configuration
#   promtool            Prometheus' configuration, the rules, every query of the dashboards
#   kustomize, Kubernetes' schemas (strict), and deploy/validate.py     k8s/
#   compose-go          docker-compose.yml, read as `docker compose config` reads it
#
# The tools are taken from where they are: haproxy and promtool (Debian: haproxy, prometheus), and
# into target/tools by pip and by go. What is missing is said loudly and skipped, or fails where
# FANTAIL_REQUIRE names `deploy`. Whether the images build and run is not checked here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools="$PWD/target/tools"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$tools"

say() { printf 'validate: %s\n' "$*"; }
skip() {
  case ",${FANTAIL_REQUIRE:-}," in
    *,deploy,*) say "$* (required)" >&2; exit 1 ;;
    *) say "SKIPPED: $*" ;;
  esac
}
have() { command -v "$1" >/dev/null 2>&1; }

# A Go program in target/tools, built once.
go_tool() {
  local name=$1 package=$2
  [ -x "$tools/$name" ] && return
  have go || return 1
  GOBIN="$tools/go" go install "$package" >"$scratch/go.log" 2>&1 || { cat "$scratch/go.log" >&2; return 1; }
  local built; built=$(basename "${package%@*}")
  case $built in v[0-9]*) built=$(basename "$(dirname "${package%@*}")") ;; esac
  mv "$tools/go/$built" "$tools/$name"
}

if have haproxy; then
  # Names of containers cannot be looked up here.
  FANTAIL_GATEWAY_1=127.0.0.1:1 FANTAIL_GATEWAY_2=127.0.0.1:2 FANTAIL_BIND=127.0.0.1:3 \
    haproxy -c -q -f deploy/haproxy/haproxy.cfg
  say "haproxy.cfg is good"
else
  skip "there is no haproxy (apt-get install haproxy)"
fi

python="$tools/venv/bin/python"
if ! [ "$tools/venv/complete" -nt deploy/requirements.txt ]; then
  if have python3 && python3 -m venv "$tools/venv" && "$python" -m pip install -q -r deploy/requirements.txt; then
    touch "$tools/venv/complete"
  fi
fi
if ! [ -f "$tools/venv/complete" ]; then
  skip "python3 could not install deploy/requirements.txt"
  exit 0
fi

if have promtool; then
  config=deploy/prometheus/prometheus.yml
  if promtool --version 2>&1 | grep -q 'version 2\.'; then
    # Compose runs Prometheus 3, whose keys the distribution's promtool may not know.
    say "promtool is older than the Prometheus of docker-compose.yml: a key of version 3 is not checked"
    config=$scratch/prometheus.yml
    sed '/always_scrape_classic_histograms/d' deploy/prometheus/prometheus.yml > "$config"
    cp deploy/prometheus/rules.yml "$scratch/"
  fi
  promtool check config --syntax-only "$config" >/dev/null
  promtool check rules deploy/prometheus/rules.yml >/dev/null
  "$python" deploy/validate.py --expressions "$scratch/panels.yml"
  promtool check rules "$scratch/panels.yml" >/dev/null
  say "Prometheus' configuration, rules and the dashboards' queries are good"
else
  skip "there is no promtool (apt-get install prometheus)"
fi

if go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1; then
  for folder in k8s k8s/kafka k8s/monitoring; do
    "$tools/kustomize" build "$folder" > "$scratch/$(echo "$folder" | tr / -).yaml"
  done
  "$python" deploy/validate.py "$scratch"/k8s*.yaml k8s/*.example.yaml
  say "k8s/ builds and holds"
else
  skip "kustomize cannot be had without go"
fi

if go_tool compose github.com/compose-spec/compose-go/v2/cmd@v2.16.2; then
  # The parser reads no environment; what the file demands of it stands in .env.
  sed -E 's/\$\{[A-Z_]+:\?[^}]*\}/given/' docker-compose.yml > "$scratch/docker-compose.yml"
  "$tools/compose" "$scratch/docker-compose.yml" > "$scratch/compose.yml"
  say "docker-compose.yml is good"
else
  skip "compose-go cannot be had without go"
fi
