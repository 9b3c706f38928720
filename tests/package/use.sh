#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: use.sh CONSUMER BUILD_FOLDER PREFIX TQ EXPECTED [CMAKE_ARGUMENT...]
#
# Configures and builds the project CONSUMER with nothing but the package in PREFIX, runs it on nodes of the program TQ,
# and checks that it prints EXPECTED.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
consumer=$1 build=$2 prefix=$3 tq=$4 expected=$5
shift 5

configure "$here/$consumer" "$build" "$prefix" "$@"
"$CMAKE" --build "$build"
printed=$("$here/../support/with_nodes.sh" "$tq" bash -c '"$1" "$NODES"' - "$build/consumer")
[ "$printed" = "$expected" ] || fail "printed '$printed' in place of '$expected'"

libraries=$(readelf -d "$build/consumer" | grep NEEDED)
grep -q libfmt <<<"$libraries" || fail "readelf shows no libfmt, so this check sees nothing: $libraries"
case $consumer in
  core_consumer | nodes_consumer) ! grep -qE 'torch|libc10' <<<"$libraries" || fail "$consumer brings libtorch along: $libraries" ;;
  torch_consumer) grep -q libc10 <<<"$libraries" || fail "no libtorch in $libraries" ;;
esac
