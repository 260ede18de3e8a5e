//! Checks whether a quantized kernel still agrees with llama.cpp. If not, it reports where the first difference is, how
//! large it is and which implementation is wrong.
//!
//! # Glossary
//!
//! - **participant**: an oracle, a candidate, the reference model or a mutant. It is an
//!   [`Implementation`](implementation::Implementation) of the formats, an [`Engine`](inference::Engine) that runs
//!   models, or both.
//! - **oracle**, or **reference**: a build of llama.cpp, whose numbers are the expected ones.
//! - **reference model**: a slow definition of each operation, computed from the bytes in integers and f64. It decides
//!   which implementation is wrong where two differ.
//! - **level**: one of the comparisons, each of which rests on the one before: [`lut`](levels::Level::Lut),
//!   [`block`](levels::Level::Block), [`tensor`](levels::Level::Tensor), [`node`](levels::Level::Node),
//!   [`logits`](levels::Level::Logits).
//! - **node**: a named intermediate result of a model's forward pass. **decode**: one call that evaluates some tokens.
//! - **noise floor**: the distance between the results of two builds of the oracle on the same input.
//! - **verdict**: the result of a comparison. **finding**: one difference with the data that reproduces it. **cause**:
//!   the fault that explains it, as far as the [diagnosis](diagnose) has evidence.
//! - **mutant**: a deliberately wrong candidate, which the harness must detect.
//! - **known divergence**: a listed defect of an oracle that still reproduces.
//!
//! Data flows from [`measure`] to [`verdict`] to [`outcome`], from [`participant`] and [`probe`] to [`level`] and
//! [`check`], and from there to receipts and the command line.

pub mod baseline;
pub mod bench;
pub mod case;
pub mod case_record;
pub mod cause;
pub mod check;
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
mod inherited;
pub mod input;
pub mod interrupt;
pub mod known;
pub mod level;
pub mod levels;
mod limit;
mod mapped;
mod markdown;
pub mod measure;
pub mod model;
pub mod mutant;
mod nearest;
pub mod non_finite;
pub mod npy;
pub mod oracles;
pub mod outcome;
pub mod participant;
pub mod printable;
pub mod probe;
pub mod progress;
pub mod receipt;
pub mod report;
pub mod rerun;
pub mod rewrite;
mod scratch;
pub mod shard;
pub mod supervisor;
pub mod synth;
pub mod task;
pub mod tolerance;
pub mod verdict;
pub mod whole_file;
mod wording;
