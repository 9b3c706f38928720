#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: same_facts.sh TUTORIAL NAME FACTS
#
# Runs a tutorial that starts its own nodes, and compares the facts that it tells with those that Python's tutorial
# NAME.py told. NAME.python.txt is what upstream's tutorial/NAME.py printed with TransferQueue 0.1.11 on Python's nodes
# (threads of its process in place of Ray's actors), without its introduction and summary. NAME.python.sed and
# NAME.cpp.sed take the facts out of the two outputs; FACTS is how many there are, so that no pattern can miss in
# silence. A second run must tell the same.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tutorial=$1 name=$2 count=$3

expected=$(sed -nE -f "$here/$name.python.sed" "$here/$name.python.txt")
[ "$(wc -l <<<"$expected")" -eq "$count" ] || {
  echo "Python's story has $count facts, but these were found: $expected" >&2
  exit 1
}
for run in first second; do
  told=$("$tutorial")
  diff <(echo "$expected") <(sed -nE -f "$here/$name.cpp.sed" <<<"$told") || {
    echo "the $run run tells another story (>) than Python (<)" >&2
    exit 1
  }
done
echo "the same $count facts as Python's, twice"
