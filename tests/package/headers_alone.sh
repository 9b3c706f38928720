#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: headers_alone.sh PREFIX [COMPILER_ARGUMENT...]
#
# Compiles each installed public header by itself, twice included, with every warning an error, and looks at all that it
# pulls in: no header of ZeroMQ, msgpack, spdlog or JSON; of libtorch and fmt, which libtorch may bring, only through
# torch.h, for which the COMPILER_ARGUMENTs are.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
prefix=$1
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ours=$prefix/include/transfer_queue
count=0
for header in "$ours"/*.h; do
  name=transfer_queue/${header##*/}
  printf '#include "%s"\n#include "%s"\n' "$name" "$name" >"$work/alone.cc"
  arguments=()
  strangers='zmq|msgpack|spdlog|nlohmann|json'
  if [ "$name" = transfer_queue/torch.h ]; then
    arguments=("$@")
  else
    strangers="$strangers|fmt|torch|ATen|c10"
  fi
  "$CXX" -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only -I "$prefix/include" "${arguments[@]}" \
    -MD -MF "$work/deps" "$work/alone.cc" || fail "$name cannot be used alone"
  pulled=$(tr -s ' \\' '\n' <"$work/deps")
  grep -qxF "$prefix/include/$name" <<<"$pulled" || fail "the compiler does not list what $name pulls in"
  leaked=$(grep -vF "$prefix/" <<<"$pulled" | grep -E "/($strangers)([/_.]|$)" || true)
  [ -z "$leaked" ] || fail "$name pulls in $(head -n 5 <<<"$leaked" | xargs)"
  count=$((count + 1))
done
[ $count -gt 5 ] || fail "only $count headers in $ours"
echo "$count headers"
