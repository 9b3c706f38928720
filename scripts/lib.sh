# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of this folder: sourced, never run. Sets `root`, the top of the source tree.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
script=${0##*/}

say() { printf '%s: %s\n' "$script" "$*"; }

die() {
  printf '%s: %s\n' "$script" "$*" >&2
  exit 1
}

usage_error() {
  printf '%s: %s; see --help\n' "$script" "$*" >&2
  exit 2
}

# The comment block below the licence line of a script is its --help.
show_help() { awk 'NR > 2 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# Ends the script for --help; refuses every other argument.
only_help() {
  [ $# -eq 0 ] && return 0
  case $1 in
    -h | --help) show_help && exit 0 ;;
    *) usage_error "does not know the argument '$1'" ;;
  esac
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root or sudo to run: $*"
  fi
}

# Configures and builds one preset: build_preset NAME [TARGET...]
build_preset() {
  local preset=$1
  shift
  say "configuring and building '$preset' (ccache makes the second time quick)"
  cmake --preset "$preset" -S "$root" >"$root/build/configure-$preset.log" 2>&1 || {
    cat "$root/build/configure-$preset.log" >&2
    die "configuring '$preset' failed, as printed above"
  }
  if [ $# -eq 0 ]; then
    cmake --build "$root/build/$preset"
  else
    cmake --build "$root/build/$preset" --target "$@"
  fi
}
