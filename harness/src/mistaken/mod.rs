//! Planted mistakes: deliberately wrong candidates, by which the harness proves that it can fail.
//!
//! Each comes from a bug that really happened, and each changes one of the [`Hooks`] of one slow [`Evaluator`]. With
//! no hook changed the evaluator is exact, so that what the ladder reports of a mistake is the mistake's own.

mod evaluator;
mod hooks;
mod matrix;
mod registry;

pub use evaluator::Evaluator;
pub use hooks::{Hooks, Product, QuantizedBatch};
pub use matrix::{Catches, KillMatrix};
pub use registry::{MISTAKES, Mistake};
