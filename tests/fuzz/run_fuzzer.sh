#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one fuzzer for a while on a corpus made of the recorded messages.
#   run_fuzzer.sh FUZZER NAME GOLDEN_DIR SECONDS
set -euo pipefail
fuzzer=$1 name=$2 golden=$3 seconds=$4
work=$fuzzer.work
# What a run finds stays in corpus for the next one.
mkdir -p "$work/corpus"
python3 "$(dirname "${BASH_SOURCE[0]}")/make_seeds.py" "$name" "$golden" "$work/seeds"
cd "$work"
exec "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=16384 \
  -timeout=10 -print_final_stats=1 -verbosity=1 -artifact_prefix="$work/" "$work/corpus" "$work/seeds"
