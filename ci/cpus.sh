#!/usr/bin/env bash
# Runs the tests that print or compare outputs on other x86-64 CPUs, under qemu's user emulation. Two CPUs are emulated
# in parallel: an old one without AVX2, on which only the generic oracle can run, and one with AVX2 but without later
# extensions.
#
#   ci/cpus.sh [FOLDER]        FOLDER (default target/cpus) stores the files that are built only for this script
#
# BUDGET_MINUTES (default 20) limits the whole run, so that code that hangs under emulation fails.
#
# Exit code 0: passed, or nothing ran and a line `skipped: REASON` gives the reason. 1: a build or test failed, or the
# time limit was reached.

set -euo pipefail
cd "$(dirname "$0")/.."
source ci/emulation.sh

readonly OLD=Nehalem
# Without features that the emulator lacks and would warn about. No program of this workspace uses them.
readonly AVX2=Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid
readonly CPUS=("$OLD" "$AVX2")
# On the CPU with AVX2 only files whose tests print or compare outputs run. All other tests are arithmetic, which uses
# the same kernels and oracles on every CPU with AVX2, and is much slower under emulation.
readonly FILES=(check docs dump_lut gate mutants output receipts report)
# Only the commands of the README are run. Those of other pages take half an hour.
export DOCS_PAGES=README.md
# Tests that are left out there, by what their names contain: every level on models like the default one; the matrix of
# mutants, which its command prints; times; and signals, which the emulator handles before the program does.
readonly TESTS_LEFT_OUT=(models_that_bitnet_cpp_wrote_are_exact every_mutant_ mutants_and_benches_leave_receipts_too
    interruption::)
# On the CPU without AVX2, all files except these run, as folder/file. Mutants and their causes, fuzzing, fences and
# batches are exhaustive tests of arithmetic, and the scalar kernels are the same on every CPU. The tests of receipts
# repeat whole runs with made-up numbers. For limits, signals and faults of a process, the emulator would be tested.
FILES_LEFT_OUT="
    harness/diagnosis harness/findings harness/fuzz harness/guard_pages harness/metamorphic rust-kernel/kernels
    harness/endings harness/limits harness/model_files"

mkdir -p "${1:-target/cpus}"
FOLDER=$(cd "${1:-target/cpus}" && pwd)
readonly FOLDER
readonly LOG=$FOLDER/log
readonly BUDGET=$((${BUDGET_MINUTES:-20} * 60))

# Compares the kernels with the only oracle that this CPU can run. The others must be skipped with the missing features.
check_on_old() {
    echo "== check on $OLD"
    local status=0
    EMULATED_CPUS=$OLD within_budget ci/emulate.sh "$HARNESS" check tiny-llama-tq2_0 --level lut,block,tensor \
        >"$LOG" || status=$?
    cat "$LOG"
    ((status == 0)) && grep -q ' block .* llama.cpp/scalar .* exact ' "$LOG" &&
        grep -q '^skipped: .*/strict: needs .*avx2' "$LOG"
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
check_on_old || FAILURES+=("check on $OLD")
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$PWD/ci/emulate.sh
select_tests
judge "tests on $OLD" env EMULATED_CPUS="$OLD" cargo test --quiet --locked --no-fail-fast --workspace "${TESTS[@]}"
FILES_LEFT_OUT=
judge "tests on $AVX2" env EMULATED_CPUS="$AVX2" HARNESS_NO_SKIPS=oracle,identity-oracle \
    cargo test --quiet --locked --no-fail-fast --workspace "${FILES[@]/#/--test=}" \
    -- "${TESTS_LEFT_OUT[@]/#/--skip=}"
conclude
