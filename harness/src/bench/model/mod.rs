//! How fast whole models are: prefill and decode, the Rust forward pass and the oracles in turn.
//!
//! # Glossary
//!
//! - **prefill**: all tokens of a prompt in one go, into an empty context.
//! - **decode**: one token after that prompt; the context is rewound for the next.

pub mod report;
mod run;
mod runner;

pub use run::ModelBench;
