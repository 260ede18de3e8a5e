//! Benchmarks of kernels and whole models against the oracles and against the limits of the machine.
//!
//! # Glossary
//!
//! - **case**: an operation (GEMV or GEMM) on a shape with a number of threads. A **row** is one kernel in one case.
//! - **sample**: the time of several calls, long enough for the resolution of the clock.
//! - **round**: one sample each of kernel, oracles and roofs, interleaved in one process (A B A B). The **ratio** is
//!   computed within a round, so that temporary slowdowns of the machine cancel out.
//! - **doubt**: a reason why the times of a row are unreliable.
//! - **roof**: a limit of the machine for every kernel: reading the weights, or the multiply-adds of the instruction
//!   set.
//!
//! Kernel and oracle get f32 activations and quantize them within the measured time, because the oracles' matrix
//! product does so. Weights either stay in the cache or rotate through copies that together exceed it.
//!
//! Data flows from [`statistics`] and [`plan`] to `operands` and `roof`, to `sampling`, to `figures` and [`report`].
//! [`model`] does for whole models what [`Bench`] does for kernels.

pub mod doubt;
mod figures;
pub mod model;
mod operands;
pub mod plan;
pub mod report;
mod roof;
mod run;
mod sampling;
pub mod statistics;
pub mod timing;

pub use run::Bench;
