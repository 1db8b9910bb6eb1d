#!/usr/bin/env bash
# Side by side with nginx: installs nginx and wrk where apt-get can, builds refgate, measures.
# usage: bench/run.sh [--rounds N] [--seconds N] [SCENARIO…]   environment: REFGATE, the binary
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v wrk >/dev/null || ! [ -x /usr/sbin/nginx ]; then
  apt-get update -qq
  # RUNLEVEL=1: the package does not start a server of its own
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends nginx-light wrk >/dev/null
fi
export REFGATE=${REFGATE:-$PWD/target/release/refgate}
[ "$REFGATE" != "$PWD/target/release/refgate" ] || cargo build --locked --quiet --release
exec python3 bench/run.py "$@"
