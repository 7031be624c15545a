#!/usr/bin/env bash
# Start the explorer: ./run.sh [ARGS for stylescope]. Installs what a bare Debian or Ubuntu machine lacks, builds, runs.
set -euo pipefail
here=$(pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
# shellcheck source=scripts/machine.sh
. scripts/machine.sh

install_packages run
install_rust
use_build_folder
say_if_cold
cargo build --locked --bin stylescope
binary=$CARGO_TARGET_DIR/debug/stylescope
case $binary in /*) ;; *) binary=$root/$binary ;; esac
cd "$here"

needs_display=yes
for argument in "$@"; do
  case $argument in
    generate | convert | info | dataset | train | help | -h | --help | -V | --version) needs_display=no ;;
  esac
done
# The window talks X11 (XWayland included); macOS needs no such variable.
if [ "$needs_display" = no ] || [ -n "${DISPLAY:-}" ] || [ "$(uname)" = Darwin ]; then
  # Without the lock on the build folder (9), which only the build needs.
  exec "$binary" "$@" 9>&-
fi

# The model named on the command line, if any, else the bundled one.
model=()
for argument in "$@"; do
  if [ -f "$argument" ]; then model=(--model "$argument"); fi
done
say "There is no display (DISPLAY is not set), so no window can open. Rendering a sheet of images instead."
say "In a desktop session the same command opens the explorer; 'xvfb-run ./run.sh' opens it on a virtual screen."
"$binary" generate ${model[@]+"${model[@]}"} --seeds 0-15 --grid 4x4 --device cpu --out stylescope-sheet.png
