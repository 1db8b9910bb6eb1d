#!/usr/bin/env bash
# Holds refgate's instructions per request to the numbers in bench/instructions.txt: under a minute, no quiet machine
# needed.
# usage: bench/instructions.sh [--write | --profile REQUEST]   environment: REFGATE, the binary (default: builds
# target/release/refgate)
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/need.sh
need nginx=nginx-light h2load=nghttp2-client valgrind=valgrind openssl=openssl python3=python3
export REFGATE=${REFGATE:-$PWD/target/release/refgate}
[ "$REFGATE" != "$PWD/target/release/refgate" ] || cargo build --locked --quiet --release
export PYTHONPATH=$PWD/tests/lib
exec python3 bench/instructions.py "$@"
