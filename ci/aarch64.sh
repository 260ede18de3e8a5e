#!/usr/bin/env bash
# Builds kernels, oracles and harness for aarch64 and runs their tests under qemu's user emulation. Two CPUs are
# emulated in parallel: one without dot product instructions and one with them.
#
#   ci/aarch64.sh [FOLDER]        FOLDER (default target/aarch64) stores the compiler and all build outputs
#
# BUDGET_MINUTES (default 25) limits the whole run, so that code that hangs under emulation fails.
# PROPTEST_CASES (default 16) limits property tests that do not set their own number of cases; emulation is slow.
#
# Exit code 0: passed, or nothing ran and a line `skipped: REASON` gives the reason. 1: a build or test failed, or the
# time limit was reached.

set -euo pipefail
cd "$(dirname "$0")/.."

readonly CPUS=(cortex-a53 neoverse-n1)
readonly TARGET=aarch64-unknown-linux-gnu
readonly GNU=aarch64-linux-gnu
readonly PACKAGES=(-p qk256 -p cpp-shim -p harness)
# All tests run except those listed here: mainly the tests of the kernels and of levels 1 to 3. This list contains test
# files, as folder/file, for these reasons:
#
# - Time: emulation distorts measurements.
# - Receipts, their consumers and documentation: they do not depend on the CPU. Their tests repeat whole runs, including
#   time measurements.
# - Mutants and their causes: their arithmetic does not depend on the CPU, and it is slow.
# - Whole models (levels 4 and 5): their reference is x86-64 code, and their programs start child processes, which
#   emulated programs cannot do.
# - The command line and its outputs: they do not depend on the CPU.
# - Signals, limits and faults of a process: the emulator would be tested.
# - Added oracles: they are compiled for the host.
readonly FILES_LEFT_OUT="
    harness/bench harness/docs harness/gate harness/nightly harness/receipts harness/report
    harness/agreement harness/destinations harness/output harness/terminal harness/usage
    harness/endings harness/limits harness/model_files
    harness/diagnosis harness/findings harness/mutants harness/oracle
    harness/dense harness/graph harness/hostile harness/inference harness/isolation harness/model harness/sessions"
# Single tests. The first measures the memory of the process, which includes the emulator. The second compares with
# logits that were recorded on x86-64, where floats are added in another order.
readonly TESTS_LEFT_OUT=(leave_memory_flat strict_gives_the_reference_logits)

mkdir -p "${1:-target/aarch64}"
FOLDER=$(cd "${1:-target/aarch64}" && pwd)
readonly FOLDER
readonly TOOLCHAIN=$FOLDER/toolchain
readonly LOG=$FOLDER/log
readonly BUDGET=$((${BUDGET_MINUTES:-25} * 60))

source ci/emulation.sh

# Whether a compiler has the target's standard library.
has_std() {
    compgen -G "$("$1" --print target-libdir --target "$TARGET")/libcore-*.rlib" >/dev/null
}

# The dependency of a package file that matches a pattern.
dependency() {
    dpkg-deb -f "$1" Depends | grep -oE "$2"
}

# Debian has packages of rustc with a standard library for each architecture. The system's package database does not
# include arm64, so this function uses separate package lists and unpacks the files without installing them.
unpack_debian_rust() {
    local staging=$FOLDER/staging
    rm -rf "$staging"
    mkdir -p "$staging"/{lists/partial,cache/archives/partial,packages,toolchain/bin}
    cat >"$staging/apt.conf" <<CONF
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
Dir::State::lists "$staging/lists";
Dir::Cache "$staging/cache";
CONF
    (
        export APT_CONFIG=$staging/apt.conf
        apt-get update -q
        cd "$staging/packages"
        apt-get download -q rustc-web libstd-rust-web-dev:amd64 libstd-rust-web-dev:arm64
        # The library of the compiler, and the LLVM library that it needs.
        apt-get download -q "$(dependency libstd-rust-web-dev_*_amd64.deb 'libstd-rust-web-[0-9.]+')"
        apt-get download -q "$(dependency libstd-rust-web-[0-9]*.deb 'libllvm[0-9]+')"
    )
    local package tool
    for package in "$staging"/packages/*.deb; do
        dpkg-deb -x "$package" "$staging/toolchain"
    done
    for tool in rustc rustdoc; do
        cat >"$staging/toolchain/bin/$tool" <<SCRIPT
#!/bin/sh
export LD_LIBRARY_PATH='$TOOLCHAIN/usr/lib/x86_64-linux-gnu'
exec '$TOOLCHAIN/usr/bin/$tool' --sysroot '$TOOLCHAIN/usr' "\$@"
SCRIPT
        chmod +x "$staging/toolchain/bin/$tool"
    done
    # Moved as a whole, because the next run assumes that an existing toolchain is complete.
    rm -rf "$TOOLCHAIN"
    mv "$staging/toolchain" "$TOOLCHAIN"
    rm -rf "$staging"
}

# Sets RUSTC and RUSTDOC to compilers that can build for the target. Doctests need the second.
find_rust() {
    if has_std rustc; then
        return
    fi
    export RUSTC=$TOOLCHAIN/bin/rustc RUSTDOC=$TOOLCHAIN/bin/rustdoc
    if [[ -x $RUSTC ]] && has_std "$RUSTC"; then
        return
    fi
    [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] ||
        skip "rustc has no standard library for $TARGET (rustup target add $TARGET)"
    prepare "rustc for $TARGET" unpack_debian_rust
    has_std "$RUSTC" || skip "Debian's rustc and its arm64 library are of different versions"
}

[[ $(uname -m) == x86_64 ]] || skip "this is $(uname -m), the run is made for cross compiling on x86_64"
install_packages "cross compiler and emulator" "$GNU-gcc $GNU-g++ qemu-aarch64" "gcc-$GNU" "g++-$GNU" qemu-user
find_rust

export CARGO_TARGET_DIR=$FOLDER/target CARGO_BUILD_TARGET=$TARGET CARGO_TERM_COLOR=never
export CC_aarch64_unknown_linux_gnu=$GNU-gcc
export CXX_aarch64_unknown_linux_gnu=$GNU-g++
export AR_aarch64_unknown_linux_gnu=$GNU-ar
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$GNU-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/ci/emulate.sh
# Cargo adds the libraries of the host to LD_LIBRARY_PATH, with which the emulated loader can loop forever.
export EMULATOR="qemu-aarch64 -L /usr/$GNU -E LD_LIBRARY_PATH=/usr/$GNU/lib"
export EMULATED_CPUS="${CPUS[*]}" FILES_LEFT_OUT
export EMULATED_COMMAND=$CARGO_TARGET_DIR/$TARGET/debug/harness
export PROPTEST_CASES=${PROPTEST_CASES:-16}
export INSTA_UPDATE=no
# These programs are not debugged, and writing debug information takes time.
export CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_TEST_DEBUG=false

echo "== $("${RUSTC:-rustc}" --version), $("$GNU-g++" --version | head -n 1), $(qemu-aarch64 --version | head -n 1)"
select_tests
echo "== build"
within_budget cargo test --quiet --no-run "${PACKAGES[@]}" "${TESTS[@]}" || fail "the build for $TARGET"
echo "== build: done after $SECONDS s"
# Not with `cargo run`, which would rebuild the command with other features of its dependencies.
judge "oracles" ci/emulate.sh "$EMULATED_COMMAND" oracle list
judge "kernels" ci/emulate.sh "$EMULATED_COMMAND" kernels
judge "levels 1 to 3 on the default model" ci/emulate.sh "$EMULATED_COMMAND" check --level lut,block,tensor
judge "tests" cargo test --quiet --no-fail-fast "${PACKAGES[@]}" "${TESTS[@]}" -- "${TESTS_LEFT_OUT[@]/#/--skip=}"
judge "doctests" cargo test --quiet --no-fail-fast "${PACKAGES[@]}" --doc
conclude
