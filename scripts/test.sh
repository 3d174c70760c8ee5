#!/usr/bin/env bash
# ruff, mypy and the whole pytest suite in the environment that setup.sh made; pytest's closing line comes last.
#   scripts/test.sh [--lint-only] [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh

failed=()
check() {  # NAME COMMAND...
  local name="$1"
  shift
  if "$@"; then echo "[test] $name: ok"; else failed+=("$name"); fi
}

check "ruff check" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" mypy --no-error-summary
if [ "${1:-}" != --lint-only ]; then
  # Nodes under test talk to nothing outside this machine, nor to another test run on it.
  export ROS_DOMAIN_ID="${ROS_DOMAIN_ID:-$(($$ % 100 + 1))}" ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
  export PYTHONUNBUFFERED=1
  output="$(mktemp)"
  trap 'rm -f "$output"' EXIT
  check pytest bash -o pipefail -c 'python -m pytest "${@:2}" 2>&1 | tee "$1"' pytest "$output" "$@"
  grep -E '[0-9]+ (passed|failed|error|skipped|deselected).* in [0-9.]+s' "$output" | tail -n 1 || true  # libraries talk at exit
fi
if [ "${#failed[@]}" != 0 ]; then
  printf '[test] FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
