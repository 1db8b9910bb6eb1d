#!/usr/bin/env bash
# What plain `cargo test` cannot show: refgate with a real shop, a real browser and the system's own tools.
# Installs what these need, where apt-get can; a suite that lacks something says that it did not run, and under
# CI (CI=true) that fails.
# usage: tests/system.sh [[but] SUITE…]   environment: REFGATE, the binary (default: builds target/release/refgate)
set -uo pipefail
cd "$(dirname "$0")/.."
. tests/lib/steps.sh
. tests/lib/need.sh
wanted=" $* "

postgresql() { # Debian keeps the server's programs where no shell looks
  local bin
  for bin in /usr/lib/postgresql/*/bin; do [[ :$PATH: == *":$bin:"* ]] || PATH=$PATH:$bin; done
}

is_wanted() { # SUITE
  case $wanted in
    "  ") ;;
    " but "*) [[ $wanted != *" $1 "* ]] ;;
    *) [[ $wanted == *" $1 "* ]] ;;
  esac
}

suite() { # SECONDS NAME "COMMAND=PACKAGE …" SCRIPT…
  local limit=$1 name=$2 needs=$3 word lacking=()
  shift 3
  is_wanted "$name" || return 0
  postgresql
  need $needs
  postgresql
  for word in $needs; do
    command -v "${word%=*}" >/dev/null || lacking+=("${word%=*}")
  done
  if [ ${#lacking[@]} = 0 ]; then
    step "$limit" "$name" "$@"
  elif [ "${CI:-}" = true ]; then
    step 5 "$name" sh -c "echo 'did not run: no ${lacking[*]}'; exit 1"
  else
    table+="$name did not run: no ${lacking[*]}"$'\n'
  fi
}

export REFGATE=${REFGATE:-$PWD/target/release/refgate}
[ "$REFGATE" != "$PWD/target/release/refgate" ] || cargo build --locked --quiet --release || exit 1

python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv

backlog() { cargo test --locked --quiet --test it -- --ignored ten_thousand; }

simulation() { cargo test --locked --quiet --lib -- --ignored simulation; }

suite 900 backlog ""                                                       backlog
suite 900 simulation ""                                                    simulation
suite 180 trace   "python3=python3 strace=strace"                          tests/trace/run.py
suite 240 chaos   "python3=python3"                                        tests/chaos/run.py
suite 300 chaos-postgres "python3=python3 openssl=openssl setpriv=util-linux pg_ctl=postgresql" tests/chaos/run.py --engine postgres --hurry
suite 90  burst   "python3=python3"                                        bench/burst.py --orders 400 --seconds 4 --limit 40
suite 260 faults  "python3=python3 fiu-ctrl=fiu-utils faketime=faketime"  tests/faults/run.py
suite 400 oscar   "python3=python3"                                        tests/shops/oscar/run.py
suite 240 attacks "python3=python3 faketime=faketime"                     tests/attacks/run.py
suite 240 journeys "python3=python3 openssl=openssl faketime=faketime"    tests/journeys/run.py
suite 180 browser "chromium=chromium chromedriver=chromium-driver"         tests/browser/run.py
suite 260 stores  "chromium=chromium chromedriver=chromium-driver openssl=openssl certutil=libnss3-tools" tests/browser/stores.py
suite 260 acme    "python3=python3 openssl=openssl pebble=pebble"          tests/acme/run.py
suite 600 postgres "python3=python3 openssl=openssl setpriv=util-linux pg_ctl=postgresql" tests/postgres/run.py
suite 420 conformance "python3=python3 openssl=openssl prlimit=util-linux" tests/conformance/run.py --limit 400
summary system
