#!/usr/bin/env bash
# Runs the tests of the kernels, the packers and the GGUF reader under AddressSanitizer, so that a read or write outside
# a buffer fails the test.
#
#   ci/sanitize.sh [FOLDER]       FOLDER (default target/sanitize) stores all build outputs
#
# Exit code 0: passed, or nothing ran and a line `skipped: REASON` gives the reason. 1: a build or test failed.

set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGET=x86_64-unknown-linux-gnu

skip() {
    echo "skipped: $1"
    exit 0
}

fail() {
    echo "failed: $1" >&2
    exit 1
}

[[ $(uname -m) == x86_64 ]] || skip "this is $(uname -m), the run is made for x86_64"
LIBRARIES=$(rustc --print target-libdir --target "$TARGET")
compgen -G "$LIBRARIES/librustc*_rt.asan.a" >/dev/null || skip "this rustc comes without the AddressSanitizer runtime"

# The flag is unstable. With an explicit target, even that of the host, it does not apply to build scripts and
# procedural macros; hence the variable for the flags of the target. Doctests are linked separately, with RUSTDOCFLAGS.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS=-Zsanitizer=address
export RUSTDOCFLAGS=-Zsanitizer=address
# A test allocates more memory than there is and expects the error of a normal allocator.
export ASAN_OPTIONS=allocator_may_return_null=1
export CARGO_TARGET_DIR=${1:-target/sanitize} CARGO_TERM_COLOR=never

SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
# Self-check: the sanitizer must report a vector load that ends one byte past its buffer.
cat >"$SCRATCH/overrun.rs" <<'RUST'
use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_movemask_epi8};

fn main() {
    let bytes = std::hint::black_box(vec![0u8; 16]);
    // SAFETY: none, on purpose.
    let vector = unsafe { _mm_loadu_si128(bytes.as_ptr().add(1).cast::<__m128i>()) };
    // SAFETY: the baseline of this architecture has SSE2.
    println!("{}", unsafe { _mm_movemask_epi8(vector) });
}
RUST
rustc --edition 2024 -O -Zsanitizer=address --target "$TARGET" -o "$SCRATCH/overrun" "$SCRATCH/overrun.rs"
OUTPUT=$("$SCRATCH/overrun" 2>&1) || true
[[ $OUTPUT == *"AddressSanitizer: heap-buffer-overflow"* ]] || fail "the sanitizer missed a read past a buffer: $OUTPUT"

cargo test --quiet --target "$TARGET" -p qk256 || fail "tests of qk256 under AddressSanitizer"
echo "passed: qk256 under AddressSanitizer"
