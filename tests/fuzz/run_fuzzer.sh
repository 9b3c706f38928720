#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one fuzzer for a while on a corpus made of the recorded messages.
#   run_fuzzer.sh FUZZER GOLDEN_DIR SECONDS
set -euo pipefail
fuzzer=$1 golden=$2 seconds=$3
work=$(dirname "$fuzzer")/$(basename "$fuzzer").work
mkdir -p "$work/corpus" "$work/seeds"
# What a run finds stays in corpus for the next one.
(cd "$golden" && find . -name '*.msg' -print0 | while IFS= read -r -d '' file; do
  name=${file#./}
  cp "$file" "$work/seeds/${name//\//_}"
done)
cd "$work"
exec "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=16384 \
  -timeout=10 -print_final_stats=1 -verbosity=1 -artifact_prefix="$work/" "$work/corpus" "$work/seeds"
