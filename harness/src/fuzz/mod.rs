//! Differential fuzzing: runs random matrices on every kernel, every oracle that supports them, and the reference
//! model.
//!
//! # Glossary
//!
//! - **draft**: a few small numbers from which a case is made. A seed and an index determine one, and property tests
//!   shrink it.
//! - **case**: a shape with all its numbers. Kernels run it, shrinking a finding reduces it, and a file of
//!   `corpus/regressions` holds it.
//! - **trial**: the run of a case on all participants, with its results.

mod campaign;
mod draft;
mod keep;
mod regression;
mod shrink;
mod trial;
mod values;

pub use crate::case::{Case, CaseError, Input};
pub use campaign::{Campaign, Limit, Summary, case_index};
pub use draft::Draft;
pub use keep::keep;
pub use regression::{Regression, RegressionError};
pub use shrink::{shrink, smallest};
pub use trial::{Difference, Trial, try_case};
