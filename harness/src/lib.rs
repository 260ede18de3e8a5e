//! Decides whether a quantized kernel still agrees with llama.cpp, and if not, where, by how much and whose fault it is.
//!
//! # Glossary
//!
//! - **side**: an oracle, a kernel, the forward pass, the arbiter, a planted mistake: an
//!   [`Implementation`](implementation::Implementation) of the formats, an [`Engine`](inference::Engine) that runs
//!   models, or both.
//! - **reference**, or **oracle**: a build of llama.cpp; **candidate**: what is compared with it, usually a kernel.
//! - **arbiter**: the slow definition straight from the bytes, which says who is wrong where two sides differ.
//! - **rung**: a level of the [`ladder`] of comparisons: [`lut`](outcome::Rung::Lut), [`block`](outcome::Rung::Block),
//!   [`tensor`](outcome::Rung::Tensor), [`node`](outcome::Rung::Node), [`logits`](outcome::Rung::Logits).
//! - **node**: a named intermediate result of a model's forward pass; **decode**: some tokens given to a model at once.
//! - **noise floor**: how far two builds of the reference are apart on the same work.
//! - **verdict**: what a comparison comes to; **finding**: one difference with all that reproduces it; **cause**: the
//!   fault that explains it, as far as the [diagnosis](diagnose) has evidence.
//!
//! Data goes up: [`measure`] to [`verdict`] to [`outcome`], [`side`] and [`probe`] to [`rung`], [`ladder`], and from
//! there to receipts and the command line.

pub mod baseline;
pub mod bench;
pub mod case;
pub mod case_record;
pub mod cause;
pub mod cli;
pub mod decoding;
pub mod destination;
pub mod diagnose;
pub mod dump;
pub mod existing;
pub mod exit;
mod fault;
pub mod finding;
pub mod fuzz;
pub mod gate;
pub mod implementation;
pub mod inference;
pub mod input;
pub mod interrupt;
pub mod known;
pub mod ladder;
mod limit;
mod mapped;
mod markdown;
pub mod measure;
pub mod mistaken;
pub mod model;
mod nearest;
pub mod non_finite;
pub mod npy;
pub mod outcome;
pub mod printable;
pub mod probe;
pub mod receipt;
pub mod report;
pub mod rewrite;
pub mod rung;
mod scratch;
pub mod shard;
pub mod side;
pub mod supervisor;
pub mod synth;
pub mod task;
pub mod tolerance;
pub mod verdict;
pub mod whole_file;
mod wording;
