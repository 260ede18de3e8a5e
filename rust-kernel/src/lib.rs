//! Ternary 2-bit weight formats with 256 weights a block ("QK256"), in pure Rust: I2_S of bitnet.cpp, TQ2_0 and
//! TQ1_0 of llama.cpp, and the BitNet32 flavours that share I2_S's type id.
//!
//! The crate knows nothing of any reference implementation. From the bytes upwards:
//!
//! - [`gguf`] reads and writes the container, by borrowing from a memory map;
//! - [`mod@format`] says what the bytes mean: layout, codebook and scale, and the exact size of each flavour;
//! - [`threads`] spreads work in pieces over threads that wait for it;
//! - [`activation`] quantizes activations to 8 bits as the formats' dot products expect them;
//! - [`kernel`] multiplies, one kernel for each format and instruction set, found in a registry;
//! - [`matmul`] spreads a kernel over the rows of a matrix and over threads;
//! - [`dense`] reads and multiplies the matrices that are not ternary;
//! - [`model`] puts them together: a model's forward pass, from tokens to logits.

pub mod activation;
pub mod dense;
pub mod format;
pub mod gguf;
pub mod kernel;
pub mod matmul;
pub mod model;
mod prefetch;
pub mod threads;
