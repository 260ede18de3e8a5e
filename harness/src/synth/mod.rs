//! Synthetic models: GGUF files generated from recipes, with the same bytes on every machine.
//!
//! # Glossary
//!
//! - **recipe**: a TOML file with architecture, sizes, formats, seed and value distributions, see [`Recipe`]. The
//!   recipes of `corpus/models` are embedded in the binary.
//! - **plan**: a checked recipe: every tensor with name, shape, type and the distribution of its values, see [`Plan`].
//! - **stream**: the random numbers of one row of one tensor. They depend only on the seed, the tensor's name and the
//!   row, so neither threads nor the format change them.
//!
//! No function of a mathematical library is called. Values are computed from integers with operations that IEEE 754
//! rounds exactly, so every machine computes the same ones.

mod corpus;
mod distribution;
mod error;
mod fill;
mod metadata;
mod plan;
mod q6_k;
mod recipe;
mod stream;
mod temporary;
mod validate;
mod write;

pub use crate::existing::Existing;
pub use corpus::{DEFAULT_RECIPE, embedded, find};
pub(crate) use error::near_recipes;
pub use error::{Problem, SynthError};
pub use plan::{Content, Plan, PlannedTensor, TernaryContent};
pub use recipe::{
    Architecture, Bell, Dense, DenseType, Matrix, Override, Recipe, ScaleRange, ScaleSharing,
    Sizes, Ternary,
};
pub use temporary::TemporaryModel;
pub use write::{Written, create, write_file, write_to};
