//! The baseline: what was compared before, and how fast it was, for each architecture.
//!
//! # Glossary
//!
//! - **target**: an architecture. Kernels, oracles and times of different architectures are independent. Each target
//!   has its own part of the baseline, and receipts of one target do not change the others.
//! - **entry**: something that was covered: a kernel that ran, a tensor that was read, a pair of implementations on a
//!   level.
//! - **change**: an entry whose count differs between two baselines.
//!
//! Receipts are converted to the type of the file, so that old and new coverage are compared as values of one type.

mod change;
mod command;
mod document;
mod entry;
mod error;
mod file;
mod gather;
mod speed;

pub use change::{Change, Group, changes, groups};
pub use document::{
    BASELINE_VERSION, Baseline, Campaign, CoveredModel, OracleBuild, Pairs, Target, schema,
};
pub use entry::{Compared, Entry, ModelId};
pub use error::{BaselineError, BaselineFault};
pub use speed::{DoubtfulSpeed, Speed, SpeedKey};
