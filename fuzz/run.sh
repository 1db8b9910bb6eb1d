#!/usr/bin/env bash
# Fuzzes everything that parses bytes from outside: builds the targets once, then runs each for some time, as
# many at once as there are cores, from its kept corpus and with its dictionary. A crash is printed as hex.
# usage: fuzz/run.sh [SECONDS] [TARGET…]     default: 60, every target
# environment: JOBS, targets at once; FOUND, a folder that keeps what was found on the way (default: nothing is)
set -uo pipefail
[ -z "${FOUND:-}" ] || { mkdir -p "$FOUND" && FOUND=$(cd "$FOUND" && pwd); } || exit 1
cd "$(dirname "$0")" || exit 1
. ../tests/lib/need.sh
seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi

fail() { echo "$*"; exit 1; }

need c++=g++                                    # libFuzzer is C++
command -v c++ >/dev/null || fail 'no C++ compiler'

if [ $# = 0 ]; then
  set -- fuzz_targets/*.rs
  set -- "${@##*/}"
  set -- "${@%.rs}"
fi
for target; do
  [ -f "fuzz_targets/$target.rs" ] || fail "no target $target"
  [ -n "$(find "corpus/$target" -type f 2>/dev/null | head -1)" ] || fail "no corpus for $target"
done

cargo build --locked --quiet --profile fuzz --bins || fail 'the targets do not build'
host=$(rustc -vV | sed -n 's/^host: //p')
binaries=../target/fuzz/$host/fuzz
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

dictionary() { # TARGET
  case $1 in
    request_head | response_head | chunked | http1_*) echo http1 ;;
    http2_* | hpack) echo http2 ;;
    *) echo "$1" ;;
  esac
}

fuzz() { # TARGET → its log, and the input that it crashed on
  local target=$1 dict found=${FOUND:-$work}/$1
  dict=dictionaries/$(dictionary "$target").dict
  mkdir -p "$found/new" "$work/$target/crash"
  "$binaries/$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=4096 -use_value_profile=1 \
    -print_final_stats=1 -artifact_prefix="$work/$target/crash/" ${dict:+$([ -f "$dict" ] && echo "-dict=$dict")} \
    "$found/new" "corpus/$target" >"$work/$target/log" 2>&1
  echo $? >"$work/$target/status"
}

for target; do
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do wait -n; done
  fuzz "$target" &
done
wait

passed=0 failed=0
for target; do
  log=$work/$target/log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
  if [ "$(cat "$work/$target/status")" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
    passed=$((passed + 1))
    printf '%-14s %9d runs  %s  corpus %d\n' "$target" "$runs" "$covered" "$(find "corpus/$target" -type f | wc -l)"
  else
    failed=$((failed + 1))
    printf '%-14s FAILED\n' "$target"
    grep -vE '^(#|	NEW_FUNC)' "$log" | tail -60
    for input in "$work/$target/crash"/*; do
      [ -f "$input" ] || continue
      echo "$target fails on these $(wc -c <"$input") bytes (${input##*/}; xxd -r -p makes a file of them):"
      od -An -v -tx1 "$input" | tr -d ' \n'
      echo
    done
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
