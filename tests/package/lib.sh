# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of this folder: sourced, never run. CMAKE, GENERATOR, CXX and LAUNCHER come from CMakeLists.txt.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# configure PROJECT BUILD_FOLDER PREFIX [CMAKE_ARGUMENT...]: a fresh build folder of a consumer that finds the package
# in PREFIX.
configure() {
  local project=$1 build=$2 prefix=$3
  shift 3
  rm -rf "$build"
  "$CMAKE" -S "$project" -B "$build" -G "$GENERATOR" -DCMAKE_CXX_COMPILER="$CXX" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$LAUNCHER" -DCMAKE_PREFIX_PATH="$prefix" "$@"
}

# Names of packages out of the fields of Debian that say on what a package depends; of alternatives the first.
depends_of() { sed -E 's/\([^)]*\)//g; s/\|[^,]*//g; s/:any//g' | tr ',' '\n' | xargs -r -n 1; }

# closure_of NAME...: the packages of these names, or that provide them, and those on which they depend, in turn; of
# the versions that are installed here, one a line.
closure_of() {
  local installed open next wanted name closure=
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Provides}\n' | sed -n 's/^installed //p')
  open=$*
  while [ -n "$open" ]; do
    next=
    for wanted in $open; do
      name=$(awk -v name="$wanted" '{ gsub(",", " "); for (i = 1; i <= NF; i++) if ($i == name) { print $1; exit } }' <<<"$installed")
      [ -n "$name" ] || fail "$wanted, on which something depends, is not installed here"
      grep -qxF "$name" <<<"$closure" && continue
      closure+="$name"$'\n'
      next+=" $(dpkg-query --show --showformat='${Depends}, ${Pre-Depends}' "$name" | depends_of | tr '\n' ' ')"
    done
    open=$(xargs -n 1 <<<"$next")
  done
  sort <<<"${closure%$'\n'}"
}

# make_root ROOT FILTER NAME...: a root with what these packages have installed here, of the files those whose path
# FILTER (a regular expression) matches, and with what dpkg knows of them.
make_root() {
  local root=$1 filter=$2 link
  shift 2
  mkdir -p "$root"/{var/lib/dpkg/info,var/lib/dpkg/updates,etc,run,tmp}
  for link in bin sbin lib lib64; do
    [ ! -L "/$link" ] || { mkdir -p "$root/usr/$link" && ln -s "usr/$link" "$root/$link"; }
  done
  dpkg-query --listfiles "$@" | sort -u | while read -r file; do [ -d "$file" ] && [ ! -L "$file" ] || echo "$file"; done |
    { grep -E "$filter" || true; } | tar -c --no-recursion -T - 2>/dev/null | tar -x -C "$root" --keep-directory-symlink
  dpkg-query --status "$@" >"$root/var/lib/dpkg/status"
}

# install_deb ROOT PACKAGE LOG
install_deb() {
  dpkg --root="$1" --install "$2" >"$3" 2>&1 || { cat "$3" && fail "dpkg could not install it"; }
}
