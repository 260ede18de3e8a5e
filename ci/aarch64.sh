#!/usr/bin/env bash
# Builds kernels, oracles and harness for aarch64 and runs their tests under qemu's user emulation, on a CPU without
# the dot product instructions and on one with them, both at once.
#
#   ci/aarch64.sh [FOLDER]        FOLDER (default target/aarch64) keeps the compiler and everything built
#
# BUDGET_MINUTES (default 25) bounds the whole run: code that hangs under emulation is a failure, not a wait.
# PROPTEST_CASES (default 16) bounds the property tests that leave the number open; emulation is slow.
#
# Exit code 0: passed, or nothing ran and a line `skipped: REASON` says why. 1: a build or test failed, or time is up.

set -euo pipefail
cd "$(dirname "$0")/.."

readonly CPUS=(cortex-a53 neoverse-n1)
readonly TARGET=aarch64-unknown-linux-gnu
readonly GNU=aarch64-linux-gnu
readonly PACKAGES=(-p qk256 -p cpp-shim -p harness)
# What runs here are the tests of the kernels and of rungs 1 to 3; a new test does too, unless it is named here. First
# files of tests, as folder/file. Time: emulation distorts it. Receipts, what is made of them, and documentation: they are
# the same on every CPU, and their tests repeat whole runs, measurements of time among them. Planted mistakes and their
# causes: their arithmetic is the same on every CPU, and slow. Whole models, which are rungs 4 and 5: their reference is
# code of x86-64, and programs that start each other, which emulated ones cannot.
readonly FILES_LEFT_OUT="
    harness/bench harness/docs harness/gate harness/nightly harness/receipts harness/report
    harness/diagnosis harness/findings harness/mistakes
    harness/dense harness/graph harness/hostile harness/inference harness/isolation harness/model harness/sessions"
# Then single tests: the first measures the memory of the process, which is the emulator's; the second compares with
# logits that were recorded on x86-64, where floats are added up in another order.
readonly TESTS_LEFT_OUT=(leave_memory_flat strict_gives_the_reference_logits)

mkdir -p "${1:-target/aarch64}"
FOLDER=$(cd "${1:-target/aarch64}" && pwd)
readonly FOLDER
readonly TOOLCHAIN=$FOLDER/toolchain
readonly LOG=$FOLDER/log
readonly BUDGET=$((${BUDGET_MINUTES:-25} * 60))

skip() {
    echo "skipped: $1"
    exit 0
}

fail() {
    echo "failed: $1" >&2
    exit 1
}

# Runs a command in what is left of the budget. It is waited for, so that whoever ends this run ends the command too.
within_budget() {
    local left=$((BUDGET - SECONDS)) status=0
    if ((left <= 0)); then
        fail "$((BUDGET / 60)) minutes are over before: $*"
    fi
    timeout --kill-after=10 "$left" "$@" &
    trap 'kill %% 2>/dev/null' EXIT
    wait $! || status=$?
    trap - EXIT
    case $status in
        124 | 137) fail "$((BUDGET / 60)) minutes are over during: $*" ;;
    esac
    return $status
}

# Runs a judgement; a failure is told at the end, so that one run shows them all.
FAILURES=()
judge() {
    local what=$1 start=$SECONDS
    shift
    echo "== $what"
    within_budget "$@" || FAILURES+=("$what")
    echo "== $what: done in $((SECONDS - start)) s"
}

# Runs a command that prepares the machine; what it says is shown only if it fails. Without it there is nothing to test.
prepare() {
    local what=$1
    shift
    # In the background, since bash forgets `set -e` in whatever stands left of `||`.
    "$@" >"$LOG" 2>&1 &
    wait $! || skip "$what: $(grep -v '^$' "$LOG" | tail -n 1)"
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -n "$@"
    fi
}

# The cross compilers and the emulator, as packages of the system.
install_cross_tools() {
    if command -v "$GNU-gcc" "$GNU-g++" qemu-aarch64 >/dev/null; then
        return
    fi
    command -v apt-get >/dev/null || skip "no $GNU-g++ or qemu-aarch64, and no apt-get to install them with"
    prepare "package lists" as_root apt-get update -q
    prepare "cross compiler and emulator" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "gcc-$GNU" "g++-$GNU" qemu-user
}

# Whether a compiler has the target's standard library.
has_std() {
    compgen -G "$("$1" --print target-libdir --target "$TARGET")/libcore-*.rlib" >/dev/null
}

# The dependency of a package file that matches a pattern.
dependency() {
    dpkg-deb -f "$1" Depends | grep -oE "$2"
}

# Debian ships rustc with a standard library for each of its architectures. The system's package database does not
# know arm64, and need not: package lists of our own do, and the files are unpacked, not installed.
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
        # The compiler's own library, and LLVM below it.
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
    # Complete or not there at all: the next run relies on it.
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

# Sets TESTS to the options by which cargo builds and runs all but the files that are left out. A name selects the file of
# every package that has it, so that ci/emulate.sh looks again.
select_tests() {
    local file
    TESTS=(--lib --bins)
    for file in */tests/*.rs */tests/*/main.rs; do
        file=${file%/main.rs}
        file=${file%.rs}
        if [[ " ${FILES_LEFT_OUT//[[:space:]]/ } " == *" ${file/\/tests/} "* ]]; then
            echo "== left out: $file"
        else
            TESTS+=(--test "${file##*/}")
        fi
    done
}

[[ $(uname -m) == x86_64 ]] || skip "this is $(uname -m), the run is made for cross compiling on x86_64"
install_cross_tools
find_rust

export CARGO_TARGET_DIR=$FOLDER/target CARGO_BUILD_TARGET=$TARGET CARGO_TERM_COLOR=never
export CC_aarch64_unknown_linux_gnu=$GNU-gcc
export CXX_aarch64_unknown_linux_gnu=$GNU-g++
export AR_aarch64_unknown_linux_gnu=$GNU-ar
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$GNU-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/ci/emulate.sh
# Cargo puts the host's libraries on LD_LIBRARY_PATH, over which the emulated loader can loop forever.
export EMULATOR="qemu-aarch64 -L /usr/$GNU -E LD_LIBRARY_PATH=/usr/$GNU/lib"
export EMULATED_CPUS="${CPUS[*]}" FILES_LEFT_OUT
export EMULATED_COMMAND=$CARGO_TARGET_DIR/$TARGET/debug/harness
export PROPTEST_CASES=${PROPTEST_CASES:-16}
export INSTA_UPDATE=no
# Nobody debugs these programs, and to write what a debugger wants takes its share of the budget.
export CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_TEST_DEBUG=false

echo "== $("${RUSTC:-rustc}" --version), $("$GNU-g++" --version | head -n 1), $(qemu-aarch64 --version | head -n 1)"
select_tests
echo "== build"
within_budget cargo test --quiet --no-run "${PACKAGES[@]}" "${TESTS[@]}" || fail "the build for $TARGET"
echo "== build: done after $SECONDS s"
# Not by `cargo run`, which would build it again with other features of its dependencies.
judge "oracles" ci/emulate.sh "$EMULATED_COMMAND" oracles
judge "kernels" ci/emulate.sh "$EMULATED_COMMAND" kernels
judge "rungs 1 to 3 on the default model" ci/emulate.sh "$EMULATED_COMMAND" check --rung lut,block,tensor
judge "tests" cargo test --quiet --no-fail-fast "${PACKAGES[@]}" "${TESTS[@]}" -- "${TESTS_LEFT_OUT[@]/#/--skip=}"
judge "doctests" cargo test --quiet --no-fail-fast "${PACKAGES[@]}" --doc
for failure in "${FAILURES[@]}"; do
    echo "failed: $failure" >&2
done
((${#FAILURES[@]} == 0)) || exit 1
echo "passed: ${CPUS[*]} in $((SECONDS / 60)) min $((SECONDS % 60)) s"
