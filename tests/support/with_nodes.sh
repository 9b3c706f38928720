#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: with_nodes.sh TQ COMMAND [ARGUMENT...]
#
# Starts `TQ up` with two storage units, runs COMMAND with NODES set to the folder of their addresses, ends the nodes.
# Exit status: COMMAND's; 1 where the nodes did not start, or ended with an error.
set -euo pipefail

tq=$1
shift
NODES=$(mktemp -d)
export NODES
nodes=
clean_up() {
  [ -z "$nodes" ] || kill "$nodes" 2>/dev/null || true
  rm -rf "$NODES"
}
trap clean_up EXIT

exec {ready}< <(exec "$tq" up --units 2 --info-dir "$NODES" 2>"$NODES/log")
nodes=$!
read -r -t 60 _ <&"$ready" || {
  echo "the nodes did not start: $(tail -n 3 "$NODES/log")" >&2
  exit 1
}

status=0
"$@" {ready}<&- || status=$?
kill -TERM "$nodes"
wait "$nodes" || {
  echo "the nodes ended with an error: $(tail -n 3 "$NODES/log")" >&2
  status=1
}
nodes=
exit $status
