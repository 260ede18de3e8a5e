#!/usr/bin/env bash
# Makes the receipts that reports/baseline.json asks for, and puts them to the gate.
#
#   ci/gate.sh [FOLDER]        FOLDER (default target/gate) gets receipts/, gate.md and gate.xml
#
# After a change that is meant to cover other things: harness baseline accept FOLDER/receipts
#
# Exit code: that of `harness gate`.

set -euo pipefail
cd "$(dirname "$0")/.."

# Beside the default model, which has every format: other architectures, tails in every matrix, dense tensors in Q6_K.
readonly RECIPES=(tail-bitnet-i2_s tail-llama-tq2_0 tail-bitnet-b1.58-tq1_0 tiny-llama-q6_k)
readonly CASES=5000
readonly FOLDER=${1:-target/gate}

rm -rf "$FOLDER"
mkdir -p "$FOLDER"/{receipts,models,findings}
cargo build --locked -p harness
HARNESS=$(cargo metadata --locked --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug/harness
readonly HARNESS

# A divergence is the gate's to judge, by the receipt; anything else is no receipt to judge.
receipt() {
    local name=$1 status=0
    shift
    "$HARNESS" "$@" --receipt "$FOLDER/receipts/$name.json" >"$FOLDER/$name.log" || status=$?
    if ((status > 1)); then
        cat "$FOLDER/$name.log"
        exit $status
    fi
}

receipt default check
for recipe in "${RECIPES[@]}"; do
    "$HARNESS" synth "$recipe" -o "$FOLDER/models/$recipe.gguf"
    receipt "$recipe" check "$FOLDER/models/$recipe.gguf"
done
receipt fuzz fuzz --cases "$CASES" --out "$FOLDER/findings"
receipt mistakes mistakes
"$HARNESS" gate "$FOLDER/receipts" --markdown "$FOLDER/gate.md" --junit "$FOLDER/gate.xml"
