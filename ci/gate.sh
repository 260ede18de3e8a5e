#!/usr/bin/env bash
# Creates the receipts that reports/baseline.json requires, and runs the gate on them.
#
#   ci/gate.sh [FOLDER]        receipts/, gate.md and gate.xml are written to FOLDER (default target/gate)
#
# After an intended change of the baseline, run: harness baseline accept FOLDER/receipts
#
# Exit code: that of `harness gate`.

set -euo pipefail
cd "$(dirname "$0")/.."

# Recipes in addition to the default model, which has every format: other architectures, tails in every matrix, Q6_K.
readonly RECIPES=(tail-bitnet-i2_s tail-llama-tq2_0 tail-bitnet-b1.58-tq1_0 tiny-llama-q6_k tiny-bitnet-b1.58-q6_k)
readonly CASES=5000
readonly FOLDER=${1:-target/gate}

rm -rf "$FOLDER"
mkdir -p "$FOLDER"/{receipts,models,findings}
cargo build --locked -p harness
HARNESS=$(cargo metadata --locked --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug/harness
readonly HARNESS

# Creates a receipt. Exit code 1 is a divergence, which the gate evaluates; other errors end this script.
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
receipt mutants mutants
"$HARNESS" gate "$FOLDER/receipts" --markdown "$FOLDER/gate.md" --junit "$FOLDER/gate.xml"
