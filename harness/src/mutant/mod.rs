//! Mutants: deliberately wrong candidates, which prove that the harness can detect faults.
//!
//! Each mutant reproduces a bug that really happened by changing one of the [`Hooks`] of the slow [`Evaluator`].
//! Without a changed hook the evaluator is exact, so every difference comes from the mutant. Each mutant declares the
//! [`Fault`](crate::cause::Fault) that the diagnosis must find.
//!
//! Mutants of the forward pass change its configuration, its cache, or the tensors that it reads. Without a change it
//! is exact. Each must be detected and located at the changed node.

mod evaluator;
mod faults;
mod hooks;
mod matrix;
mod model;
mod model_matrix;
mod registry;
mod wrong_steps;

pub use evaluator::Evaluator;
pub use hooks::{Hooks, Product, QuantizedBatch};
pub use matrix::{CatchingMeasure, Caught, KernelMutant};
pub use model::{Change, MODEL_MUTANTS, ModelMutant};
pub use model_matrix::ModelMutantRecord;
pub use registry::{MUTANTS, Mutant};
