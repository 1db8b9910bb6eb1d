# To be sourced: `need COMMAND=PACKAGE…` installs Debian packages whose command is missing, where apt-get can.
# It says what stays missing and goes on.
need() {
  local word packages=()
  for word in "$@"; do
    command -v "${word%=*}" >/dev/null || [ -x "/usr/sbin/${word%=*}" ] || packages+=("${word#*=}")
  done
  [ ${#packages[@]} != 0 ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq || true
    for word in "${packages[@]}"; do
      # RUNLEVEL=1: a package does not start a server of its own
      RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "$word" >/dev/null ||
        echo "could not install $word" >&2
    done
  else
    echo "missing, and apt-get cannot be used here: ${packages[*]}" >&2
  fi
}
