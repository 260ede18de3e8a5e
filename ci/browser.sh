#!/usr/bin/env bash
# Opens a generated report in Debian's chromium, headless, wide and narrow, light and dark: nothing on the console,
# nothing fetched, nothing wider than the screen, every heading there. Screenshots go to target/browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || return 1
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium python3 >/dev/null 2>&1
}

if ! command -v chromium >/dev/null || ! command -v python3 >/dev/null; then
    if ! install; then
        echo "skipped: there is no chromium or no python3 here, and neither can be installed"
        exit 0
    fi
fi

target=${CARGO_TARGET_DIR:-target}
night=$(mktemp -d)
trap 'rm -rf "$night"' EXIT
# What the report says is for other steps: here it has to be there, and to look right.
cargo run --quiet --locked -p harness -- nightly --out "$night" --recipe tiny-llama-tq2_0 --recipe tail-bitnet-b1.58-tq1_0 \
    --fuzz-cases 500 --quick-bench
python3 ci/browser.py "$(command -v chromium)" "$night/index.html" "$target/browser"
