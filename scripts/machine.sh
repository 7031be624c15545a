# Shared by run.sh and test.sh: what the machine must have before cargo can start. Sourced, never run.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian and its children have apt-get and dpkg-query.
is_debian() { have apt-get && have dpkg-query; }

# Runs a command as root: directly, or through sudo. Fails where neither is possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else return 1
  fi
}

# The shared libraries that the program loads by name while it runs (winit: X11 and the keyboard; wgpu: Vulkan), each with the
# Debian package that brings it. They are not linked, so the linker cannot complain about them.
runtime_libraries() {
  cat <<'LIST'
libX11.so.6 libx11-6
libX11-xcb.so.1 libx11-xcb1
libXcursor.so.1 libxcursor1
libXi.so.6 libxi6
libxkbcommon.so.0 libxkbcommon0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libvulkan.so.1 libvulkan1
LIST
}

# grep reads to the end: with -q it would stop at the first match, and pipefail would report ldconfig's broken pipe.
has_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -F "$1 " >/dev/null; }
# has_vulkan_driver [NAME]: whether a driver's description is installed; NAME narrows it to e.g. lvp, the software driver.
has_vulkan_driver() {
  local folder
  for folder in /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/share/vulkan/icd.d; do
    compgen -G "$folder/${1:-}*.json" >/dev/null && return 0
  done
  return 1
}

# Packages still missing, one a line. `need_packages test` adds what only the tests use.
need_packages() {
  local library package
  have cc || printf 'gcc\nlibc6-dev\n'
  while read -r library package; do
    has_library "$library" || echo "$package"
  done < <(runtime_libraries)
  # Any driver will do for the window; the tests also ask for the software one, which is the same on every machine.
  has_vulkan_driver || echo mesa-vulkan-drivers
  if [ "${1:-}" = test ]; then
    has_vulkan_driver lvp_icd || echo mesa-vulkan-drivers
    have Xvfb || echo xvfb
    have xdotool || echo xdotool
  fi
  # For the download of the toolchain.
  if ! have cargo; then
    have curl || echo curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
  fi
}

install_packages() {
  local missing
  if [ "$(uname)" != Linux ]; then
    have cc || die "a C compiler (cc) is needed to link the program"
    return 0
  fi
  mapfile -t missing < <(need_packages "$@" | sort -u)
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! is_debian || [ -n "${STYLESCOPE_NO_INSTALL:-}" ]; then
    say "This machine lacks what these Debian packages bring; please install their equivalents: ${missing[*]}"
    # The window needs the libraries, the compiler's linker is needed for everything.
    have cc || die "a C compiler (cc) is needed to link the program"
    return 0
  fi
  say "Installing ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
  # The package lists are refreshed only if the packages cannot be had with the present ones.
  as_root "${install[@]}" >/dev/null 2>&1 && return 0
  if as_root apt-get update >/dev/null && as_root "${install[@]}" >/dev/null; then return 0; fi
  say "The packages could not be installed. As root: apt-get update && apt-get install ${missing[*]}"
  have cc || die "a C compiler (cc) is needed to link the program"
}

# The version that rust-toolchain.toml names, e.g. 1.95.0.
wanted_rust() { sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml; }

# rustup from its own server, checked against the digest that is published beside it; nothing outside of
# ~/.cargo and ~/.rustup is touched.
install_rustup() {
  local triple base folder
  triple="$(uname -m)-unknown-linux-gnu" base="https://static.rust-lang.org/rustup/dist"
  say "Rust is not installed. Installing rustup and Rust $(wanted_rust) into ~/.cargo and ~/.rustup (STYLESCOPE_NO_INSTALL=1 forbids it)."
  folder=$(mktemp -d)
  if ! (cd "$folder" && curl -fsSLO "$base/$triple/rustup-init" && curl -fsSLO "$base/$triple/rustup-init.sha256" &&
    [ "$(sha256sum rustup-init | cut -d' ' -f1)" = "$(cut -d' ' -f1 rustup-init.sha256)" ] && chmod +x rustup-init); then
    rm -rf "$folder"
    die "rustup could not be downloaded; see https://rustup.rs"
  fi
  "$folder/rustup-init" -y --quiet --no-modify-path --profile minimal --default-toolchain none >/dev/null
  rm -rf "$folder"
  PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
}

install_rust() {
  # A shell that was open when Rust was installed does not have it on its path yet.
  have cargo || PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
  if ! have cargo; then
    if ! is_debian || [ -n "${STYLESCOPE_NO_INSTALL:-}" ]; then
      die "Rust $(wanted_rust) is needed. Install it with rustup: see https://rustup.rs, or 'apt install rustup' on Debian 13 and Ubuntu 24.04 and later"
    fi
    install_rustup
  fi
  if have rustup; then
    rustup which cargo >/dev/null 2>&1 || rustup toolchain install "$(wanted_rust)" --profile minimal -c rustfmt -c clippy >&2
  else
    local found
    found=$(cargo --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$(wanted_rust)" "$found" | sort -V | head -1)" = "$(wanted_rust)" ] ||
      die "cargo is $found, but $(wanted_rust) or newer is needed; rustup (https://rustup.rs) brings it"
  fi
}

# One build folder for all checkouts: the dependencies take 20 minutes on two cores, and a fresh clone finds them there.
#
# This package itself must not be shared. Cargo gives it the same file names in every checkout and tells old from new by the
# sources' dates, so it would take another checkout's program for this one's. A folder that was last used by another
# checkout therefore loses this package's files (the dependencies stay), and no checkout may change it while another one
# builds or tests there: those hold a shared lock until they end.
use_build_folder() {
  export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/stylescope/target}"
  mkdir -p "$CARGO_TARGET_DIR"
  local stamp="$CARGO_TARGET_DIR/stylescope-checkout" checkout
  # The folder's own number tells a new clone from an old one of the same name.
  checkout="$(pwd -P) $(stat -c %i . 2>/dev/null || true)"
  exec 9>"$CARGO_TARGET_DIR/stylescope-checkout.lock"
  lock -s
  while [ "$(cat "$stamp" 2>/dev/null)" != "$checkout" ]; do
    lock -x
    if [ -d "$CARGO_TARGET_DIR/debug" ]; then
      cargo clean --locked --quiet -p stylescope
    fi
    printf '%s' "$checkout" >"$stamp"
    # Not one step: somebody may come in between, so the stamp is read once more.
    lock -s
  done
}

# lock -s|-x: the build folder, shared or alone. Where there is no flock (macOS), two checkouts must not build at once.
lock() {
  have flock || return 0
  flock "$1" -n 9 || { say "Waiting for another checkout that uses $CARGO_TARGET_DIR"; flock "$1" 9; }
}

say_if_cold() {
  compgen -G "$CARGO_TARGET_DIR/debug/deps/libburn-*" >/dev/null ||
    say "Building for the first time into $CARGO_TARGET_DIR: about 20 minutes on two cores, seconds from then on."
}
