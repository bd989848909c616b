#!/usr/bin/env bash
# Puts what the strict-client tests need into a folder, target/strict_clients unless named:
# `bash tests/strict_clients/install.sh [folder]`.
#
# Python's `websockets`, npm's `ws` and four Rust libraries as clients of the broadcast path; the Autobahn|Testsuite,
# which needs a Python 2.7, where there is one. What cannot be had is said and left out: the tests
# then skip it, or fail where FANTAIL_REQUIRE names it.
set -uo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="${1:-$here/../../target/strict_clients}"
mkdir -p "$folder"
cd "$folder" || exit 1

WEBSOCKETS=17.4
WS=8.23.0
AUTOBAHN=25.10.1

if [ ! -d py/websockets ]; then
  python3 -m pip install --disable-pip-version-check --quiet --target py "websockets==$WEBSOCKETS" ||
    echo "MISSING websockets: pip could not install it"
fi

if ! command -v npm >/dev/null 2>&1; then
  echo "MISSING ws: there is no npm"
elif [ ! -d node_modules/ws ]; then
  npm install --silent --no-audit --no-fund --prefix . "ws@$WS" >/dev/null || echo "MISSING ws: npm could not install it"
fi

CARGO_TARGET_DIR="$PWD/rust" cargo build --quiet --locked --manifest-path "$here/rust/Cargo.toml" ||
  echo "MISSING strict-rust: cargo could not build tests/strict_clients/rust"

if [ ! -x wstest ]; then
  python27=
  for candidate in python2.7 python2 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
    "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1 || continue
    python27="$candidate"
    break
  done
  if [ -z "$python27" ]; then
    echo "MISSING autobahn: there is no Python 2.7"
  elif "$python27" -m pip install --disable-pip-version-check --quiet --target autobahn \
    "autobahntestsuite==$AUTOBAHN" >install.log 2>&1; then
    # Not PYTHONPATH: its namespace packages need the .pth files read.
    cat >wstest <<WSTEST
#!/bin/sh
exec "$(command -v "$python27")" -W ignore -c "import site
site.addsitedir('$PWD/autobahn')
from autobahntestsuite.wstest import run
run()" "\$@"
WSTEST
    chmod +x wstest
  else
    echo "MISSING autobahn: pip could not install it; see $PWD/install.log"
  fi
fi
