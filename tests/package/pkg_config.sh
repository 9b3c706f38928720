#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: pkg_config.sh BUILD_FOLDER PREFIX EXPECTED
#
# Builds the client's program of core_consumer without CMake, by what pkg-config says of the package in PREFIX, runs it on
# nodes of the installed program, and checks that it prints EXPECTED. The prefix may be moved.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$1 prefix=$2 expected=$3

rm -rf "$build"
mkdir -p "$build"
cp -r "$prefix" "$build/moved"
file=$(find "$build/moved" -name transfer_queue.pc)
[ -n "$file" ] || fail "no transfer_queue.pc was installed"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$file")
read -ra flags < <(pkg-config --cflags --libs transfer_queue)
"$CXX" -std=c++20 "$here/core_consumer/main.cc" "${flags[@]}" -o "$build/consumer"
printed=$("$here/../support/with_nodes.sh" "$build/moved/bin/tq" bash -c '"$1" "$NODES"' - "$build/consumer")
[ "$printed" = "$expected" ] || fail "printed '$printed' in place of '$expected'"
version=$(pkg-config --modversion transfer_queue)
[ "tq $version" = "$("$prefix/bin/tq" --version)" ] || fail "pkg-config says version $version"
