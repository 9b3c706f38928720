#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: same_story.sh TUTORIAL        (with NODES in the environment: support/with_nodes.sh)
#
# Runs tutorial 02 and compares the facts that it tells with those of Python's: keys and tags as listed, the fields that
# came back, the keys that are left. 02_kv_interface.python.txt is what demonstrate_kv_api of TransferQueue 0.1.11's
# tutorial/02_kv_interface.py printed. The second run must tell the same, for the first one cleared up.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

facts_of_python() {
  tr -d "'" <"$here/02_kv_interface.python.txt" | sed -n \
    -e 's/^Partition: \(.*\), - key=\(.*\) | tag=\(.*\)/listed \1 \2 \3/p' \
    -e 's/.*retrieved only \[\(.*\)\] field.*/fields of step 6: \1/p' \
    -e '/Step 7/,$ s/^  Fields: \[\(.*\)\]/fields of step 7: \1/p' \
    -e 's/.*Cleared keys: \[\(.*\), \(.*\)\]/cleared \1 and \2/p' \
    -e 's/.*Remaining keys in partition: \[\(.*\)\]/left: \1/p'
}

facts_of_ours() {
  awk '
    /^Step/ { step = $2 + 0; next }
    /^  partition / { partition = $2 }
    /^    [^ ]+  {/ && step == 5 { key = $1; sub(/^ *[^ ]+ */, ""); print "listed " partition " " key " " $0 }
    /got the fields: / { sub(/.*fields: /, ""); print "fields of step " step ": " $0 }
    /cleared / { print "cleared " $2 " and " substr($4, 1, length($4) - 1) }
    /^    [^ ]+  {/ && step == 8 { left = left (left == "" ? "" : ", ") $1 }
    END { print "left: " left }
  '
}

expected=$(facts_of_python)
[ "$(wc -l <<<"$expected")" -eq 9 ] || {
  echo "Python's story has 9 facts, but these were found: $expected" >&2
  exit 1
}
for run in first second; do
  told=$("$1" "$NODES")
  diff <(echo "$expected") <(facts_of_ours <<<"$told") || {
    echo "the $run run tells another story (>) than Python (<)" >&2
    exit 1
  }
  # The prompts that Python's tutorial puts, key by key; it prints none.
  for row in '0_0: 1 2 3' '1_0: 4 5 6' '1_1: 7 8 9' '1_2: 10 11 12' '2_0: 13 14 15'; do
    grep -qxF "    $row" <<<"$told" || {
      echo "the $run run does not show the prompt $row" >&2
      exit 1
    }
  done
done
echo "the same story as Python's, twice"
