//! How fast kernels and whole models are, against the oracles and against what the machine can do at all.
//!
//! # Glossary
//!
//! - **case**: an operation (GEMV or GEMM) on a shape and so many threads; a **row** is one kernel in one case.
//! - **sample**: the time of a few calls together, long enough for the clock.
//! - **turn**: kernel, oracles and roofs give one sample each, again and again (A B A B), in one process. The **ratio**
//!   is taken within a turn, so that whatever slows the machine down for a while cancels out.
//! - **doubt**: a reason not to rely on the times of a row.
//! - **roof**: what no kernel can beat here: reading the weights, or the multiply-adds of the instruction set.
//!
//! Both sides get f32 activations and quantize them within the time that is taken, since the oracles' matrix product
//! does. Weights either stay in the cache, or lie in copies that are multiplied in turn and together outgrow it.
//!
//! Data goes up: [`statistics`] and [`plan`] to `operands` and `roof`, to `turns`, to `figures` and [`report`]; [`model`]
//! does for whole models what [`Bench`] does for kernels.

pub mod doubt;
mod figures;
pub mod model;
mod operands;
pub mod plan;
pub mod report;
mod roof;
mod run;
pub mod statistics;
mod turns;

pub use run::Bench;
