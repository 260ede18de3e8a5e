#!/bin/sh
# Checks that src/ffi.rs equals the output of bindgen for include/oracle.h. With --write, writes the output to
# src/ffi.rs.
#
# usage: check-bindings.sh [--write] [TOOLS]
# TOOLS is the folder in which bindgen is kept between runs (default: the target folder). bindgen and libclang are
# installed if they are missing. libclang is installed with apt-get, which needs root.
set -eu

bindgen_version=0.72.1

here=$(cd "$(dirname "$0")" && pwd)
bindings=$here/src/ffi.rs
write=no
if [ "${1:-}" = --write ]; then
    write=yes
    shift
fi
tools=${1:-${CARGO_TARGET_DIR:-$here/../target}/bindgen}
bindgen=$tools/bin/bindgen

if ! "$bindgen" --version 2>/dev/null | grep -qx "bindgen $bindgen_version"; then
    cargo install bindgen-cli --version "$bindgen_version" --locked --root "$tools" --target-dir "$tools/build"
fi

fresh=$(mktemp)
trap 'rm -f "$fresh" "$fresh.log"' EXIT

# Debian's libclang does not include the headers of clang. stddef.h and stdint.h of the C compiler are used instead.
generate() {
    "$bindgen" "$here/include/oracle.h" \
        --allowlist-item 'oracle_.*' --allowlist-item 'ORACLE_.*' \
        --newtype-enum 'oracle_.*' \
        --no-layout-tests \
        --no-doc-comments \
        --no-prepend-enum-name \
        --use-core \
        --default-visibility crate \
        --merge-extern-blocks \
        --disable-header-comment \
        --raw-line "// Made by bindgen $bindgen_version from include/oracle.h, which documents it." \
        --raw-line "// Do not edit: run check-bindings.sh --write." \
        --rust-edition 2024 \
        --rust-target 1.85 \
        --formatter rustfmt \
        --rustfmt-configuration-file "$here/../rustfmt.toml" \
        --output "$fresh" \
        -- -std=c11 -isystem "$(cc -print-file-name=include)"
}

# bindgen panics without libclang. In that case, install it and try again.
if ! generate 2>"$fresh.log"; then
    if ! grep -qi 'libclang' "$fresh.log"; then
        cat "$fresh.log" >&2
        exit 1
    fi
    apt-get install -y -q --no-install-recommends libclang1
    generate
fi

if [ "$write" = yes ]; then
    cp "$fresh" "$bindings"
    echo "wrote $bindings"
elif diff -u "$bindings" "$fresh"; then
    echo "src/ffi.rs is current"
else
    echo "src/ffi.rs is out of date: run cpp-shim/check-bindings.sh --write" >&2
    exit 1
fi
