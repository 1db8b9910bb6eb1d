# Steps with a time limit, a time and a count; to be sourced. A step's tests are counted by its closing lines:
# cargo's `test result: … N passed; M failed` and `N passed, M failed` (and `, K skipped`). A failed step without any counts as one.

passed=0 failed=0 table=
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

step() { # SECONDS NAME COMMAND…
  local limit=$1 name=$2 start=$SECONDS status good bad seconds
  shift 2
  printf '\n=== %s\n' "$name"
  if [ "$(type -t "$1")" = function ]; then
    export -f "$1"
    set -- bash -c "$1"
  fi
  timeout --kill-after=10 "$limit" "$@" </dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]} seconds=$((SECONDS - start))
  # awk adds the counts up; nothing counted is 0 0
  read -r good bad < <(awk '
    /^test result: / { for (i = 2; i <= NF; i++) { if ($i == "passed;") g += $(i-1); if ($i == "failed;") b += $(i-1) } }
    /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { g += $1; b += $3 }
    END { print g + 0, b + 0 }' "$log")
  [ "$status" = 124 ] && echo "$name took longer than $limit s"
  if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  passed=$((passed + good)) failed=$((failed + bad))
  table+=$(printf '%-8s %4d s  exit %-3d %5d passed %3d failed' "$name" "$seconds" "$status" "$good" "$bad")$'\n'
}

# Functions made of steps, at once. The first one's lines come as they are said, those of each other after it.
lanes() { # FUNCTION…
  local lane work good bad
  work=$(mktemp -d) || exit 1
  for lane in "${@:2}"; do
    in_lane "$lane" >"$work/$lane.out" 2>&1 &
  done
  in_lane "$1"
  wait
  for lane; do
    [ "$lane" = "$1" ] || cat "$work/$lane.out"
    read -r good bad <"$work/$lane.counts"
    passed=$((passed + good)) failed=$((failed + bad)) table+=$(tail -n +2 "$work/$lane.counts")$'\n'
  done
  rm -r "$work"
}

in_lane() (
  passed=0 failed=0 table= log=$work/$1.log
  trap - EXIT
  "$1"
  printf '%d %d\n%s' "$passed" "$failed" "$table" >"$work/$1.counts"
)

summary() { # [LABEL]: with one the closing line is not counted again by an outer step
  printf '\n=== summary\n%s%s%d passed, %d failed\n' "$table" "${1:+$1: }" "$passed" "$failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
