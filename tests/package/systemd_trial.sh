#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside the root of systemd.sh, by systemd: what an administrator does with the units, and what happens to them.
set -euo pipefail

fail() {
  printf 'trial: %s\n' "$*"
  journalctl --no-pager --lines=30 --output=cat || true
  exit 1
}
show() { systemctl show --property "$1" --value "$2"; }
# until_true SECONDS COMMAND...
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || return 1; done
}
put_and_get() {
  /usr/bin/tq kv put --info-dir /run/tq -p p "$1" --field 'x:=1' >/dev/null
  [[ $(/usr/bin/tq kv get --info-dir /run/tq -p p "$1" --json) =~ \"x\":\ *1 ]]
}

# Started means that clients find the addresses.
systemctl start tq.service || fail "tq.service does not start"
[ -e /run/tq/controller.json ] || fail "it is started, but its addresses are not there"
put_and_get before || fail "a client cannot put and get"
[ "$(stat --format=%u "/proc/$(show MainPID tq.service)")" -ne 0 ] || fail "the nodes run as root"

# One that was killed comes back.
was_restarted() { [ "$(show NRestarts tq.service)" -ge 1 ] && [ "$(show ActiveState tq.service)" = active ]; }
kill -9 "$(show MainPID tq.service)"
until_true 30 was_restarted || fail "nodes that were killed are not restarted"
put_and_get after || fail "a client cannot put and get after a restart"

# A unit more, with a folder for the rows that settings may send to an SSD.
systemctl start tq-storage@2.service || fail "tq-storage@2.service does not start"
[ -e /run/tq-storage-2/storage-2.json ] || fail "its address is not there"
[ -d /var/cache/tq ] || fail "there is no folder for rows on an SSD"

# Settings that are wrong are said at once, and not tried again.
systemctl stop tq.service || fail "tq.service does not stop"
[ ! -e /run/tq ] || fail "stopped nodes leave their addresses"
[ "$(show Result tq.service)" = success ] || fail "stopped nodes say that they failed"
cp /etc/tq.yaml /etc/tq.yaml.good
echo '  no-such-flag: 1' >>/etc/tq.yaml
! systemctl start tq.service 2>/dev/null || fail "it starts with wrong settings"
[ "$(show ExecMainStatus tq.service)" -eq 2 ] || fail "wrong settings end with status $(show ExecMainStatus tq.service), not 2"
[ "$(show ActiveState tq.service)" = failed ] || fail "it tries wrong settings again"
cp /etc/tq.yaml.good /etc/tq.yaml
systemctl start tq.service || fail "it does not start with settings that are right again"

# Nodes end with the package.
said=$(dpkg --remove transferqueue-cpp 2>&1) || fail "the package cannot be removed: $said"
[ "$(show ActiveState tq.service)" = inactive ] || fail "tq.service outlives its package"
[ "$(show ActiveState tq-storage@2.service)" = inactive ] || fail "tq-storage@2.service outlives its package"
echo 'all was as it should be'
