//! Differential fuzzing: random matrices through every kernel, every oracle that is defined on them, and the arbiter.
//!
//! # Glossary
//!
//! - **draft**: a handful of small numbers from which a case is made; what a seed and an index give, and what
//!   property tests shrink.
//! - **case**: a packed shape with all its numbers; what kernels run, what a finding is shrunk to, and what a file of
//!   `corpus/regressions` holds.
//! - **trial**: a case run on all sides, and what it comes to.

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
