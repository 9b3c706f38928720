#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: same_stream.sh TUTORIAL        (with NODES in the environment: support/with_nodes.sh)
#
# Runs tutorial 06 and compares the facts that it tells with those of Python's: what was put by whom, how many steps
# each worker made and what they gave it, that workers of one dp_rank got the same batches in the same order, and those
# of two nothing in common. (Which ones a rank gets is a matter of time; and Python's loader yields each batch once for
# each of its workers.) 06_streaming_dataloader.python.txt is what the workers of upstream's
# tutorial/06_streaming_dataloader.py and its summary printed with TransferQueue 0.1.11, without Ray's prefixes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# What both print alike, but for words around it.
facts() {
  sed -n \
    -e 's/^\[Generate Worker@\([0-9]*\)\]: Putting sample \([0-9]*\).*/generator \1 put \2/p' \
    -e 's/^\[Update Worker@\([0-9]*\)\] Completed \([0-9]*\) steps, consumed \([0-9]*\) samples/worker \1: \2 steps, \3 samples/p' \
    -e 's/^  DP Rank \([0-9]*\): consumed \([0-9]*\) samples.*/dp_rank \1 consumed \2/p' | sort
}

# "WORKER RANK SAMPLES" for each batch, in the order in which its worker got it.
batches() {
  sed -n 's/^\[Update Worker@\([0-9]*\)\]: dp_rank \([0-9]*\) retrieved samples: \[\(.*\)\]/\1 \2 \3/p' | tr -d ,
}

# Fails unless all workers of a rank got the same different batches in the same order, as far as both read, and no
# batch went to two ranks.
check_ranks() {
  batches | awk '
    { worker = $1; rank = $2; $1 = $2 = ""
      if ((worker, $0) in seen) next
      seen[worker, $0] = 1
      if (!(($0) in owner)) owner[$0] = rank
      if (owner[$0] != rank) { print "dp_ranks " owner[$0] " and " rank " both got" $0; bad = 1 }
      place = rank "," ++count[worker]
      if (!(place in batch)) batch[place] = $0
      if (batch[place] != $0) { print "workers of dp_rank " rank " got" batch[place] " and" $0; bad = 1 } }
    END { exit bad }'
}

python=$here/06_streaming_dataloader.python.txt
expected=$(facts <"$python")
[ "$(wc -l <<<"$expected")" -eq 48 ] || {
  echo "Python's story has 48 facts, but these were found: $expected" >&2
  exit 1
}
check_ranks <"$python"
for run in first second; do
  told=$("$1" "$NODES")
  fail() {
    printf '%s\nthe %s run %s; it is above\n' "$told" "$run" "$1" >&2
    exit 1
  }
  diff <(echo "$expected") <(facts <<<"$told") || fail "tells another story (>) than Python (<)"
  [ "$(batches <<<"$told" | sort -u | wc -l)" -eq 20 ] || fail "did not give each worker five different batches"
  check_ranks <<<"$told" || fail "gave the workers of a rank different batches"
done
echo "the same story as Python's, twice"
