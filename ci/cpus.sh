#!/usr/bin/env bash
# Runs the tests that print or compare outputs on other CPUs of x86-64 than this machine's, under qemu's user emulation: an
# old one without AVX2, which no oracle runs on, and one with AVX2 alone, both at once.
#
#   ci/cpus.sh [FOLDER]        FOLDER (default target/cpus) keeps what is built for it alone
#
# BUDGET_MINUTES (default 20) bounds the whole run: code that hangs under emulation is a failure, not a wait.
#
# Exit code 0: passed, or nothing ran and a line `skipped: REASON` says why. 1: a build or test failed, or time is up.

set -euo pipefail
cd "$(dirname "$0")/.."
source ci/emulation.sh

readonly OLD=Nehalem
# Less what the emulator lacks and would warn of; no program of this workspace uses it.
readonly AVX2=Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid
readonly CPUS=("$OLD" "$AVX2")
# With AVX2: the files whose tests print or compare outputs. All else there is arithmetic, which the same kernels and oracles
# do on every CPU that has AVX2, and emulated many times slower.
readonly FILES=(check docs dump_lut gate mistakes output receipts report)
# Of these, two repeat at length what others there show: every level on models like the default one, and the matrix of mutants,
# whose command prints it.
# The commands of the README alone: those of the other pages take half an hour.
export DOCS_PAGES=README.md
readonly TESTS_LEFT_OUT=(models_that_bitnet_cpp_wrote_are_exact every_mistake_is_caught_and_blamed_on_the_candidate)
# Without: all files but these, as folder/file. Mutants and their causes, fuzzing, fences and batches: the scalar kernels'
# arithmetic is the same everywhere, and these try all there is of it. The receipts' tests repeat whole runs on made figures.
# Limits, signals and faults of a process are the emulator's there.
FILES_LEFT_OUT="
    harness/diagnosis harness/findings harness/fuzz harness/guard_pages harness/metamorphic rust-kernel/kernels
    harness/endings harness/limits harness/model_files"

mkdir -p "${1:-target/cpus}"
FOLDER=$(cd "${1:-target/cpus}" && pwd)
readonly FOLDER
readonly LOG=$FOLDER/log
readonly BUDGET=$((${BUDGET_MINUTES:-20} * 60))

# The README's first command where no oracle runs: one line that says so, and exit code 3.
check_without_oracle() {
    echo "== check on $OLD"
    EMULATED_CPUS=$OLD within_budget ci/emulate.sh "$HARNESS" check >"$LOG" || true
    cat "$LOG"
    grep -q 'failed with 3$' "$LOG" && [[ $(grep -c '^error: no oracle can run on this machine' "$LOG") == 1 ]]
}

[[ $(uname -m) == x86_64 ]] || skip "this is $(uname -m), the emulated CPUs are of x86_64"
install_packages "emulator" qemu-x86_64 qemu-user

TARGET=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
EMULATED_FOLDER=$(realpath -m "$TARGET")/debug
EMULATOR_PROGRAM=$(command -v qemu-x86_64)
export EMULATED_FOLDER EMULATOR_PROGRAM
readonly HARNESS=$EMULATED_FOLDER/harness
"${CC:-cc}" -O2 -shared -fPIC -o "$FOLDER/emulated_exec.so" ci/emulated_exec.c -ldl || fail "the build of ci/emulated_exec.c"

export CARGO_TERM_COLOR=never INSTA_UPDATE=no
export EMULATOR="env LD_PRELOAD=$FOLDER/emulated_exec.so $EMULATOR_PROGRAM"
export EMULATED_COMMAND= FILES_LEFT_OUT
export PROPTEST_CASES=${PROPTEST_CASES:-16}

echo "== $(qemu-x86_64 --version | head -n 1)"
echo "== build"
within_budget cargo test --quiet --locked --no-run --workspace || fail "the build"
echo "== build: done after $SECONDS s"
check_without_oracle || FAILURES+=("check on $OLD")
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/ci/emulate.sh
select_tests
judge "tests on $OLD" env EMULATED_CPUS="$OLD" cargo test --quiet --locked --no-fail-fast --workspace "${TESTS[@]}"
FILES_LEFT_OUT=
judge "tests on $AVX2" env EMULATED_CPUS="$AVX2" HARNESS_NO_SKIPS=oracle,followed-oracle \
    cargo test --quiet --locked --no-fail-fast -p harness "${FILES[@]/#/--test=}" \
    -- "${TESTS_LEFT_OUT[@]/#/--skip=}"
conclude
