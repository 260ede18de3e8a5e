#!/usr/bin/env bash
# Opens a generated report in headless chromium from Debian, with wide and narrow screens and with light and dark
# schemes. The console must be empty, nothing may be fetched, nothing may be wider than the screen, and all headings
# must be there. Screenshots are written to target/browser.
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
# Other steps check the content of the report. This one checks only that it exists and is displayed correctly.
cargo run --quiet --locked -p harness -- nightly --out "$night" --recipe tiny-llama-tq2_0 --recipe tail-bitnet-b1.58-tq1_0 \
    --fuzz-cases 500 --quick-bench
python3 ci/browser.py "$(command -v chromium)" "$night/index.html" "$target/browser"
