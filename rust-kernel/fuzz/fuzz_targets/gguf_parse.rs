//! Parses arbitrary bytes as a GGUF file: see [`qk256_fuzz::check_gguf`].

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = qk256_fuzz::check_gguf(bytes);
});
