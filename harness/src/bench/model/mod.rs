//! Benchmarks of whole models: prefill and decode, with the Rust forward pass and the oracles interleaved.
//!
//! # Glossary
//!
//! - **prefill**: evaluates all tokens of a prompt at once, into an empty context.
//! - **decode**: evaluates one token after that prompt. The context is rewound afterwards.

mod run;
mod runner;

pub use run::ModelBench;
