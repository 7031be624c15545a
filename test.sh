#!/usr/bin/env bash
# All tests: ./test.sh [ARGS for cargo test]. Installs what a bare Debian or Ubuntu machine lacks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=scripts/machine.sh
. scripts/machine.sh

install_packages test
install_rust
use_build_folder
say_if_cold

fixtures=${STYLESCOPE_FIXTURES:-../shared/fixtures}
[ -d "$fixtures" ] || say "No folder $fixtures: the parity tests run with the small fixtures of tests/fixtures alone."

status=0
if cargo fmt --version >/dev/null 2>&1; then
  cargo fmt --check || { say "The formatting differs: run cargo fmt."; status=1; }
else
  say "rustfmt is not installed; the formatting was not checked."
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=1
# Benches are only compiled: their numbers are not for this machine to judge.
[ "$#" -gt 0 ] || cargo build --locked --benches || status=1

awk -v status="$status" '
  /^test result: / { programs++; for (i = 1; i < NF; i++) { if ($(i + 1) ~ /^passed/) p += $i; if ($(i + 1) ~ /^failed/) f += $i; if ($(i + 1) ~ /^ignored/) g += $i } }
  END { printf "%s: %d passed, %d failed, %d ignored in %d test programs\n", (status ? "FAILED" : "ok"), p, f, g, programs }' "$log"
exit "$status"
