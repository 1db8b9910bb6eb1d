# To be sourced: `need COMMAND=PACKAGE…` installs Debian packages whose command is missing, where apt-get can.
# It says what stays missing and goes on. Several scripts may need something at once: one installs at a time.
need() {
  local word packages=()
  for word in "$@"; do
    command -v "${word%=*}" >/dev/null || [ -x "/usr/sbin/${word%=*}" ] || packages+=("${word#*=}")
  done
  [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
}

install_packages() { # PACKAGE…
  local package
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing, and apt-get cannot be used here: $*" >&2
    return 0
  fi
  by_apt update || true
  for package; do
    by_apt install --no-install-recommends "$package" >/dev/null || echo "could not install $package" >&2
  done
}

by_apt() { # RUNLEVEL=1: a package does not start a server of its own
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive flock -o /tmp/refgate-apt.lock apt-get -yqq "$@"
}
