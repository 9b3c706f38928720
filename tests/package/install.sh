#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: install.sh BUILD_TREE SOURCE_TREE PREFIX TORCH_FOLDER
#
# Installs BUILD_TREE into PREFIX, by way of another folder: what is installed can be moved. Nothing in it may point
# back, but for the hint where libtorch was.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=$1 source=$2 prefix=$3 torch=$4

rm -rf "$prefix" "$prefix.first"
"$CMAKE" --install "$build" --prefix "$prefix.first"
mv "$prefix.first" "$prefix"

for file in bin/tq share/man/man1/tq.1 share/bash-completion/completions/tq share/zsh/vendor-completions/_tq include/transfer_queue/kv.h include/transfer_queue/dtype.def; do
  [ -f "$prefix/$file" ] || fail "$file was not installed"
done
pointers=$(grep -rIF -e "$build" -e "$source" -e "$prefix.first" "$prefix" | grep -vF "\"$torch\"" || true)
[ -z "$pointers" ] || fail "the installed files point back: $pointers"
"$prefix/bin/tq" --version >/dev/null || fail "the installed program does not run"
