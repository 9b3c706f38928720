#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: deb.sh BUILD_TREE WORK_FOLDER
#
# Makes the Debian package of BUILD_TREE, installs it with dpkg into a root that holds nothing but what the package
# depends on, and runs its nodes there by the commands of its units for systemd, with a client outside. systemd itself
# has a test of its own, systemd.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$1 work=$2
unset DESTDIR
for tool in dpkg-shlibdeps dpkg-query; do
  command -v $tool >/dev/null || { echo "skipped: $tool is of Debian, and is not here" && exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: only root may change into another root" && exit 77; }

rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$(dirname "$CMAKE")/cpack" -G DEB --config "$build/CPackConfig.cmake" -B "$work" >"$work/cpack.log" || { cat "$work/cpack.log" && fail "cpack failed"; }
package=$(ls "$work"/transferqueue-cpp_*.deb)
[ "$(wc -l <<<"$package")" = 1 ] || fail "there is not one package: $package"
contents=$(dpkg-deb --contents "$package")
for file in usr/bin/tq usr/share/man/man1/tq.1 usr/share/bash-completion/completions/tq usr/lib/systemd/system/tq.service; do
  grep -q " ./$file" <<<"$contents" || fail "$file is not in the package"
done
! grep -qF "$build" <<<"$contents" || fail "the package holds files of the build tree"

# shellcheck disable=SC2046
names=$(closure_of $(dpkg-deb --field "$package" Depends | depends_of) | xargs)
[ "$(wc -w <<<"$names")" -gt 5 ] || fail "the package depends on '$names' alone, which cannot be"
# Whoever installs the program otherwise reads in docs/python.md what it needs.
needed=$(dpkg-deb --field "$package" Depends | depends_of | grep -vxE 'libc6|libgcc-s1|libstdc\+\+6' | sort | xargs)
told=$(sed -n 's/^    apt install //p' "$here/../../docs/python.md")
[ "$told" = "$needed" ] || fail "the package depends on '$needed', but docs/python.md says '$told'"
root=$work/root
# shellcheck disable=SC2086
make_root "$root" '\.so|/ld-linux' $names
cp --dereference /bin/sh "$root/bin/"  # which every Debian has, for the package's scripts
install_deb "$root" "$package" "$work/dpkg.log"

# What it does not know it ignores, with a word and exit status 0.
if command -v systemd-analyze >/dev/null; then
  said=$(systemd-analyze verify --root="$root" --man=no --recursive-errors=no tq.service tq-storage@2.service 2>&1) &&
    [ -z "$said" ] || fail "the units for systemd: $said"
fi

chroot "$root" /usr/bin/tq --version >/dev/null || fail "the program does not run where only its dependencies are"
cp "$root/usr/share/doc/transferqueue-cpp/tq.yaml" "$root/etc/"
nodes=()
trap 'kill "${nodes[@]}" 2>/dev/null || true' EXIT
# start UNIT: what systemd would start, with the example of the settings.
start() {
  local unit=$root/usr/lib/systemd/system/$1 command settings line ready
  command=$(sed -n 's/^ExecStart=//p' "$unit")
  settings=$(sed -n 's/^Environment=//p' "$unit")
  # shellcheck disable=SC2086
  exec {ready}< <(exec env $settings chroot "$root" ${command//%i/2})
  nodes+=($!)
  read -r -t 20 line <&"$ready" || fail "$1: '$command' did not start"
  [[ $line == ready:*metrics* ]] || fail "$1: it said '$line'"
}
start tq.service
start tq-storage@.service
mkdir "$work/nodes"
ln -s "$root"/run/tq/*.json "$root/run/tq-storage-2/storage-2.json" "$work/nodes"
tq=$root/usr/bin/tq
"$tq" kv put --info-dir "$work/nodes" -p p k --field 'x:=1' >/dev/null
[ "$("$tq" kv get --info-dir "$work/nodes" -p p k --json | tr -d ' \n')" = '{"k":{"x":1}}' ] || fail "a sample did not come back"
[ "$("$tq" status --info-dir "$work/nodes" --json | grep -o TQ_STORAGE_UNIT_ | wc -l)" -eq 3 ] || fail "there are not three units"
echo "$(basename "$package"), $(wc -w <<<"$names") packages below it"
