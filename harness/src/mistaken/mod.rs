//! Planted mistakes: deliberately wrong candidates, by which the harness proves that it can fail.
//!
//! Each comes from a bug that really happened, and each changes one of the [`Hooks`] of one slow [`Evaluator`]. With
//! no hook changed the evaluator is exact, so that what the ladder reports of a mistake is the mistake's own. Each declares the [`Fault`](crate::cause::Fault)
//! that the diagnosis has to name.
//!
//! Mistakes in running a model are changes of the forward pass, which is exact without them: of its configuration, its
//! cache, or the tensors that it reads. Each has to be caught, and located at the node that it is in.

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
pub use matrix::{Catches, KillMatrix};
pub use model::{MODEL_MISTAKES, ModelMistake, Plant};
pub use model_matrix::{ModelCatches, ModelKillMatrix};
pub use registry::{MISTAKES, Mistake};
