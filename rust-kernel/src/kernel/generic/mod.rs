//! The algorithms of SIMD kernels, written once over [`Vector`](super::vector::Vector) and [`Decode`].
//!
//! Rows are processed in *blocks* of 256 weights. A partial last block is copied and padded with zeros, so that no read
//! passes the end of a slice and no step is a special case. Functions are `#[inline(always)]`: only code that is
//! inlined into a `#[target_feature]` function of `compiled!` is compiled for its instruction set.

mod batch;
mod block_scaled;
mod decode;
mod facade;
mod floats;
mod gemm;
mod gemv;
mod i2_s;
mod panel;
mod tq1_0;
mod tq2_0;

pub(super) use batch::{Batch, Sink};
pub(super) use block_scaled::{Quantized, block_gemm, block_gemv};
pub(super) use decode::Decode;
pub(super) use facade::{Compiled, compiled, isa_compute};
pub(super) use floats::{add_products, scale_dots, values};
pub(super) use gemm::gemm;
pub(super) use gemv::gemv;
pub(super) use panel::{PANEL, Panel};
