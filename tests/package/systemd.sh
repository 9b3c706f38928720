#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: systemd.sh DEB_FOLDER WORK_FOLDER
#
# Boots systemd as the first process of a root of its own, with the Debian package of DEB_FOLDER installed there, and has
# it start, restart, refuse and stop the nodes (systemd_trial.sh, which runs inside). Only where no systemd runs that
# this could disturb: in a container.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
deb=$1 work=$2
skip() { echo "skipped: $*" && exit 77; }
[ "$(id -u)" -eq 0 ] || skip "only root may boot systemd"
[ ! -d /run/systemd/system ] || skip "systemd runs here already, and is left alone"
command -v dpkg-query >/dev/null && [ -x /lib/systemd/systemd ] || skip "Debian's systemd is not installed (apt-get install systemd)"
namespaces=(unshare --mount --pid --fork --kill-child --ipc --uts --cgroup)
said=$("${namespaces[@]}" true 2>&1) || skip "no namespaces of one's own here: $said"

rm -rf "$work"
root=$work/root
package=$(ls "$deb"/transferqueue-cpp_*.deb)
# shellcheck disable=SC2046
names=$(closure_of $(dpkg-deb --field "$package" Depends | depends_of) systemd bash coreutils base-passwd dpkg diffutils libc-bin | xargs)
# shellcheck disable=SC2086
make_root "$root" '^/(bin|sbin|lib|lib64|etc|usr/bin|usr/sbin|usr/lib|usr/share/dbus-1)/' $names
mkdir -p "$root"/{dev,proc,sys,root,var/tmp,var/log,etc/systemd/system}
cp /usr/share/base-passwd/passwd.master "$root/etc/passwd"
cp /usr/share/base-passwd/group.master "$root/etc/group"
touch "$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
ln -sf bash "$root/bin/sh"
install_deb "$root" "$package" "$work/dpkg.log"
cp "$root/usr/share/doc/transferqueue-cpp/tq.yaml" "$root/etc/"
cp "$here/systemd_trial.sh" "$root/trial.sh"
cat >"$root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
FailureActionExitStatus=1
[Service]
Type=oneshot
ExecStart=/bin/bash /trial.sh
StandardOutput=file:/trial.log
StandardError=file:/trial.log
TimeoutStartSec=150
UNIT

# As a container has it: nothing of the machine's own can be written from inside. Status 77 where that is not allowed.
boot() {
  local root=$1 device
  trap 'exit 77' ERR
  mount --make-rprivate /
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
  done
  # What systemd needs of cgroups is a tree to count its processes in.
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  cd "$root"
  mkdir -p before
  pivot_root . before
  umount -l /before
  trap - ERR
  exec env -i container=docker PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --unit=trial.service --show-status=no
}
status=0
timeout --kill-after=10 180 "${namespaces[@]}" bash -euc "$(declare -f boot); boot \"\$1\"" boot "$root" >"$work/boot.log" 2>&1 || status=$?
[ "$status" -ne 77 ] || skip "no mounts of one's own here: $(tail -n 1 "$work/boot.log")"
[ -s "$root/trial.log" ] || { tail -n 20 "$work/boot.log" && fail "systemd did not come up (status $status)"; }
cat "$root/trial.log"
[ "$status" -eq 0 ] || { tail -n 20 "$work/boot.log" && fail "the trial inside failed (status $status)"; }
grep -qx 'all was as it should be' "$root/trial.log" || fail "the trial ended before its end"
