#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: readme.sh WORK_FOLDER PREFIX TQ PYTHON_ENVIRONMENT README
#
# Does what README.md says: builds its C++ program by its CMakeLists.txt with the package in PREFIX, and runs its Python
# lines, which start that program, on nodes of TQ. Exit status 77 (skipped) without the Python environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
work=$1 prefix=$2 tq=$3 python_env=$4 readme=$5

[ -x "$python_env/venv/bin/python" ] && [ -f "$python_env/numpy1/.made-for" ] || {
  echo "skipped: there is no Python environment; scripts/python-env makes it"
  exit 77
}

# blocks LANGUAGE: the contents of all code blocks of that language, one after the other.
blocks() {
  awk -v fence='```'"$1" '$0 == "```" { inside = 0 } inside; $0 == fence { inside = 1 }' "$readme"
}

rm -rf "$work"
mkdir -p "$work"
blocks cpp >"$work/answer.cpp"
blocks cmake >"$work/CMakeLists.txt"
blocks python >"$work/story.py"
configure "$work" "$work/build" "$prefix"
"$CMAKE" --build "$work/build"

printed=$("$here/../support/with_nodes.sh" "$tq" bash -euc \
  'cd "$1"; ln -s "$NODES" nodes; PYTHONPATH=$3 "$2" story.py' \
  - "$work" "$python_env/venv/bin/python" "$(dirname "$readme")/python")
promised=$(sed -n 's/^# \((tensor(.*\)/\1/p' "$work/story.py")
[ -n "$promised" ] || fail "the Python lines of $readme promise no tensor"
[ "$(tr -d ' \n' <<<"$printed")" = "$(tr -d ' \n' <<<"$promised")" ] || fail "printed '$printed', not '$promised'"
