#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: refusals.sh WORK_FOLDER PREFIX
#
# What find_package must refuse, and in which words: another version, an unknown component, the component torch of a
# package that was built without, or with another libtorch.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
work=$1 prefix=$2

# refused PREFIX FIND_PACKAGE_ARGUMENTS WORDS...: configuring fails and says all of the words.
refused() {
  local prefix=$1 arguments=$2 said
  shift 2
  mkdir -p "$work/project"
  printf 'cmake_minimum_required(VERSION 3.22)\nproject(refused CXX)\nfind_package(TransferQueue %s)\n' "$arguments" \
    >"$work/project/CMakeLists.txt"
  ! said=$(configure "$work/project" "$work/build" "$prefix" 2>&1) || fail "find_package($arguments) was not refused"
  said=$(xargs -0 <<<"$said" | tr -s '\n ' ' ') # CMake breaks lines
  for words in "$@"; do
    [[ $said == *"$words"* ]] || fail "find_package($arguments) does not say '$words': $said"
  done
}

# edited NAME SED_SCRIPT: a copy of the package whose TransferQueueConfig.cmake differs.
edited() {
  rm -rf "${work:?}/$1"
  cp -r "$prefix" "$work/$1"
  local config
  config=$(find "$work/$1" -name TransferQueueConfig.cmake)
  cp "$config" "$work/before"
  sed -i "$2" "$config"
  ! cmp -s "$config" "$work/before" || fail "the edit $2 changes nothing"
}

mkdir -p "$work"
refused "$prefix" "0.2 REQUIRED" "version: 0.1"
refused "$prefix" "1.0 REQUIRED" "version: 0.1"
refused "$prefix" "REQUIRED COMPONENTS numpy" "numpy"

call='^  _tq_import_torch_component(.*)$'
edited without "s|$call|  _tq_import_torch_component(\"\" \"\")|"
refused "$work/without" "REQUIRED COMPONENTS torch" "this TransferQueue was built without libtorch"
edited other "s|$call|  _tq_import_torch_component(\"/nowhere\" \"9.9.9\")|"
refused "$work/other" "REQUIRED COMPONENTS torch" "9.9"

# Where torch is only wished for, the rest is found.
printf 'cmake_minimum_required(VERSION 3.22)\nproject(wish CXX)\n%s\n%s\n' \
  'find_package(TransferQueue REQUIRED COMPONENTS core OPTIONAL_COMPONENTS torch)' \
  'message(STATUS "core ${TransferQueue_core_FOUND}, torch ${TransferQueue_torch_FOUND}")' >"$work/project/CMakeLists.txt"
said=$(configure "$work/project" "$work/build" "$work/without" 2>&1) || fail "an optional torch was required: $said"
grep -q -- '-- core TRUE, torch FALSE' <<<"$said" || fail "unexpected: $said"
