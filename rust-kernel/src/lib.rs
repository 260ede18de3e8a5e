//! Quantized weight formats in pure Rust: I2_S of bitnet.cpp, TQ2_0 and TQ1_0 of llama.cpp, the BitNet32 storage variants
//! that share I2_S's type id, and the block formats of ggml: K-quants, IQ types, and those with blocks of 32 to 128.
//!
//! The crate does not depend on a reference implementation. Its modules, from the lowest to the highest level:
//!
//! - [`gguf`] reads GGUF files, borrowing from a memory map, and writes them;
//! - [`mod@format`] defines layouts, codebooks, scales, the exact size of each storage variant, and in
//!   [`format::block`] the fields of the block formats;
//! - [`threads`] is a thread pool;
//! - [`activation`] quantizes activations to 8 bits for the dot products of the formats;
//! - [`kernel`] has a registry of kernels, one for each format and instruction set;
//! - [`matmul`] computes matrix products with a kernel on several threads;
//! - [`dense`] reads and multiplies matrices of floats and of block formats;
//! - [`model`] computes the forward pass of a model, from tokens to logits.

pub mod activation;
pub mod dense;
pub mod format;
pub mod gguf;
mod isa;
pub mod kernel;
pub mod matmul;
pub mod model;
mod prefetch;
pub mod threads;
