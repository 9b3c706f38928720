# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of this folder: sourced, never run. CMAKE, GENERATOR, CXX and LAUNCHER come from CMakeLists.txt.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# configure PROJECT BUILD_FOLDER PREFIX [CMAKE_ARGUMENT...]: a fresh build folder of a consumer that finds the package
# in PREFIX.
configure() {
  local project=$1 build=$2 prefix=$3
  shift 3
  rm -rf "$build"
  "$CMAKE" -S "$project" -B "$build" -G "$GENERATOR" -DCMAKE_CXX_COMPILER="$CXX" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$LAUNCHER" -DCMAKE_PREFIX_PATH="$prefix" "$@"
}
