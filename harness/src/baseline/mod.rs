//! The baseline: what used to be compared, and how fast it was, for each architecture.
//!
//! # Glossary
//!
//! - **target**: an architecture. Kernels, oracles and times of one say nothing of another, and each has a part of the
//!   baseline of its own, so that receipts of many machines add up and those of one leave the others alone.
//! - **fact**: something that was covered: a kernel that ran, a tensor that was read, a pair of sides on a rung.
//! - **change**: a fact that one baseline has and another has not, or has more of.
//!
//! Receipts are gathered into the same type that the file holds, so that what is there now and what used to be there
//! are compared like with like.

mod change;
mod command;
mod document;
mod error;
mod fact;
mod file;
mod gather;
mod speed;

pub use change::{Change, Group, changes, groups};
pub use document::{
    BASELINE_VERSION, Baseline, Campaign, CoveredModel, OracleBuild, Pairs, Target, schema,
};
pub use error::BaselineError;
pub use fact::{Fact, ModelId};
pub use gather::model_name;
pub use speed::{DoubtfulSpeed, Speed, SpeedKey};
