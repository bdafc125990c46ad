#!/usr/bin/env bash
# Reproduce read-28a7bf: repeat the failed test until it fails again with the same signature.
# Written by Telltale, which is not needed to run it: bash and the Python under test are enough.
#
#   ./run_test.sh [--source DIR] [--venv DIR] [--budget SECONDS] [--rate] ...   (--help tells all)
#
# Exit status: 1 reproduced with the same signature, 0 not reproduced,
#              2 could not run, 3 failed in another way only.

# Without -e: a failure is what we are looking for, and the verdict must be said.
set -uo pipefail

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)" || exit 2
source_dir="${TELLTALE_SOURCE:-}"
venv="${TELLTALE_VENV:-}"
args=()

fail() {
  printf 'run_test.sh: %s\n' "$1" >&2
  exit 2
}

while [ "$#" -gt 0 ]; do
  case "$1" in
    --source | --venv)
      [ "$#" -ge 2 ] || fail "$1 needs a folder, as in $1 DIR"
      if [ "$1" = --source ]; then source_dir="$2"; else venv="$2"; fi
      shift 2
      ;;
    --source=*) source_dir="${1#*=}"; shift ;;
    --venv=*) venv="${1#*=}"; shift ;;
    *) args+=("$1"); shift ;;
  esac
done

# The code under test: the checkout around the current folder, unless another one is named.
if [ -z "$source_dir" ]; then
  source_dir="$(git rev-parse --show-toplevel 2>/dev/null)" || source_dir="$PWD"
fi
[ -d "$source_dir" ] || fail "--source $source_dir: there is no such folder"
source_dir="$(cd -- "$source_dir" && pwd -P)" || exit 2

# Its virtual environment: the one named, the active one, or one inside the checkout.
if [ -n "$venv" ]; then
  [ -x "$venv/bin/python" ] || fail "--venv $venv: there is no bin/python in it"
fi
for folder in "$venv" "${VIRTUAL_ENV:-}" "$source_dir/.venv" "$source_dir/venv"; do
  if [ -n "$folder" ] && [ -x "$folder/bin/python" ]; then
    VIRTUAL_ENV="$(cd -- "$folder" && pwd)" || exit 2
    PATH="$VIRTUAL_ENV/bin:$PATH"
    export VIRTUAL_ENV PATH
    unset PYTHONHOME
    break
  fi
done
python="$(command -v python3 || command -v python)" ||
  fail "there is no Python in PATH: name the environment of the tests with --venv DIR"

# The variables of the failed run.
export CI=true
export GREETING=$'it\'s $(date) & `id`'
export OMP_NUM_THREADS=4
export SHOP_MODE=fast

printf 'python: %s (%s)\n' "$python" "$("$python" -c 'import platform; print(platform.python_version())' 2>&1)"

"$python" -I -B "$here/tests/test_read_28a7bf_stress.py" --source "$source_dir" ${args[@]+"${args[@]}"}
status=$?

# 10 is added by the stress test, for Python itself exits with 1 when something breaks.
case "$status" in
  1[0-3]) exit "$((status - 10))" ;;
  *) fail "the stress test broke off with exit status $status" ;;
esac
