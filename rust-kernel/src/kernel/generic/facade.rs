//! Kernels of one instruction set, built from the generic algorithms.

use std::marker::PhantomData;
use std::ops::Range;

use super::batch::{Batch, Sink};
use super::block_scaled::Quantized;
use super::decode::{Decode, STEPS};
use super::gemm::panel_blocks;
use super::i2_s::{Group64, Group128, Rows4, Sequential};
use super::panel::{PANEL, Panel};
use super::tq1_0::Tq1_0;
use super::tq2_0::Tq2_0;

use crate::activation::ActivationsRef;
use crate::format::{Format, Layout, QK256, ScaleRule, Weights};
use crate::kernel::arithmetic::{F32_LANES, TensorScaling, fold};
use crate::kernel::vector::{STEP, Vector};
use crate::kernel::{Compute, Isa, IsaCompute, Unavailable};

/// The smallest batch for which decoding a panel before multiplying is faster.
const SMALLEST_GEMM: usize = 4;

/// The algorithms, compiled for one instruction set. Tokens implement this trait with `compiled!`.
pub(in super::super) trait Compiled: Vector + Send + Sync + 'static {
    /// [`gemv`](super::gemv()).
    fn gemv<D: Decode>(
        self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        batch: &Batch<'_>,
        sink: &mut Sink<'_, i32>,
    );

    /// [`gemm`](super::gemm()).
    fn gemm(
        self,
        panel: &Panel,
        batch: &Batch<'_>,
        blocks: Range<usize>,
        sums: &mut [[i32; PANEL]],
    );

    /// [`block_gemv`](super::block_gemv).
    fn block_gemv<D: Decode>(
        self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        batch: &Quantized<'_>,
        sink: &mut Sink<'_, f32>,
    );

    /// [`block_gemm`](super::block_gemm).
    fn block_gemm(self, panel: &Panel, batch: &Quantized<'_>, sink: &mut Sink<'_, f32>);

    /// [`Panel::fill`].
    fn fill<D: Decode>(
        self,
        panel: &mut Panel,
        weights: &Weights<'_>,
        rows: Range<usize>,
        blocks: Range<usize>,
    );

    /// [`values`](super::values).
    fn values(self, codes: &[u8], offset: f32, factor: f32, out: &mut [f32]);

    /// [`scale_dots`](super::scale_dots).
    fn scale_dots(self, dots: &[i32], scaling: TensorScaling, out: &mut [f32]);

    /// [`add_products`](super::add_products).
    fn add_products(self, lanes: &mut [f32; F32_LANES], values: &[f32], x: &[f32]);
}

/// Implements [`Compiled`] for a token, with functions compiled for the features that the token proves.
macro_rules! compiled {
    ($token:ident) => {
        $crate::kernel::generic::compiled!(
            $token,
            fn gemv<D>(
                weights: &$crate::format::Weights<'_>,
                rows: std::ops::Range<usize>,
                batch: &$crate::kernel::generic::Batch<'_>,
                sink: &mut $crate::kernel::generic::Sink<'_, i32>,
            ) = $crate::kernel::generic::gemv::<_, D>;
            fn gemm<>(
                panel: &$crate::kernel::generic::Panel,
                batch: &$crate::kernel::generic::Batch<'_>,
                blocks: std::ops::Range<usize>,
                sums: &mut [[i32; $crate::kernel::generic::PANEL]],
            ) = $crate::kernel::generic::gemm;
            fn block_gemv<D>(
                weights: &$crate::format::Weights<'_>,
                rows: std::ops::Range<usize>,
                batch: &$crate::kernel::generic::Quantized<'_>,
                sink: &mut $crate::kernel::generic::Sink<'_, f32>,
            ) = $crate::kernel::generic::block_gemv::<_, D>;
            fn block_gemm<>(
                panel: &$crate::kernel::generic::Panel,
                batch: &$crate::kernel::generic::Quantized<'_>,
                sink: &mut $crate::kernel::generic::Sink<'_, f32>,
            ) = $crate::kernel::generic::block_gemm;
            fn fill<D>(
                panel: &mut $crate::kernel::generic::Panel,
                weights: &$crate::format::Weights<'_>,
                rows: std::ops::Range<usize>,
                blocks: std::ops::Range<usize>,
            ) = $crate::kernel::generic::Panel::fill::<_, D>;
            fn values<>(codes: &[u8], offset: f32, factor: f32, out: &mut [f32])
                = $crate::kernel::generic::values;
            fn scale_dots<>(
                dots: &[i32],
                scaling: $crate::kernel::arithmetic::TensorScaling,
                out: &mut [f32],
            ) = $crate::kernel::generic::scale_dots;
            fn add_products<>(
                lanes: &mut [f32; $crate::kernel::arithmetic::F32_LANES],
                values: &[f32],
                x: &[f32],
            ) = $crate::kernel::generic::add_products;
        );
    };
    ($token:ident, $(
        fn $name:ident<$($D:ident)?>($($argument:ident: $type:ty),+ $(,)?) = $definition:expr;
    )+) => {
        impl $crate::kernel::generic::Compiled for $token {
            $(
                #[inline]
                fn $name<$($D: $crate::kernel::generic::Decode)?>(self, $($argument: $type),+) {
                    $crate::compiled_for! { $token:
                        fn compiled<$($D: $crate::kernel::generic::Decode)?>(
                            token: $token,
                            $($argument: $type),+
                        ) {
                            $definition(token, $($argument),+);
                        }
                    }
                    // SAFETY: the token proves the features.
                    unsafe { compiled::<$($D)?>(self, $($argument),+) }
                }
            )+
        }
    };
}
pub(in super::super) use compiled;

/// The products with quantized activations for one position of scales.
trait Scaling: Send + Sync + 'static {
    fn products<V: Compiled, D: Decode>(
        v: V,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    );
}

/// One scale per tensor.
struct ByTensor;

impl Scaling for ByTensor {
    fn products<V: Compiled, D: Decode>(
        v: V,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        let (first, n) = (rows.start, rows.len());
        let offset = i32::from(weights.format().codebook.offset());
        let scale = weights.scale(0);
        let (scales, sums) = (activations.scales(), activations.sums());
        let codes = activations.codes();
        each_dot::<V, D>(v, weights, rows, codes, &mut |row, b, dots| {
            let scaling = TensorScaling::new(offset * sums[b], scales[b], scale);
            v.scale_dots(dots, scaling, &mut out[b * n + row - first..]);
        });
    }
}

/// One scale per block.
struct ByBlock;

impl Scaling for ByBlock {
    fn products<V: Compiled, D: Decode>(
        v: V,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        let (first, n) = (rows.start, rows.len());
        let batch = Quantized::new(activations, i32::from(weights.format().codebook.offset()));
        let mut sink = |row: usize, b: usize, products: &[f32]| {
            out[b * n + row - first..][..products.len()].copy_from_slice(products);
        };
        if activations.rows() < SMALLEST_GEMM {
            v.block_gemv::<D>(weights, rows, &batch, &mut sink);
        } else {
            let blocks = weights.cols() / QK256;
            let mut panel = Panel::new(rows.len(), blocks);
            for first in rows.clone().step_by(PANEL) {
                let rows = first..rows.end.min(first + PANEL);
                v.fill::<D>(&mut panel, weights, rows, 0..blocks);
                v.block_gemm(&panel, &batch, &mut sink);
            }
        }
    }
}

/// The arithmetic of one format with one instruction set. The token proves that this CPU supports it.
struct Simd<V, D, S>(V, PhantomData<(D, S)>);

/// The arithmetic of a format, or the feature that this CPU lacks; `None` if the format has no SIMD kernels.
pub(in super::super) fn isa_compute<V: Compiled>(
    format: &Format,
    isa: Isa,
    token: Result<V, Unavailable>,
) -> Option<IsaCompute> {
    fn boxed<V: Compiled, D: Decode, S: Scaling>(v: V) -> Box<dyn Compute> {
        Box::new(Simd::<V, D, S>(v, PhantomData))
    }
    let compute = match (format.layout, format.scale) {
        (Layout::Group128, ScaleRule::Tensor) => boxed::<V, Group128, ByTensor>,
        (Layout::Group64, ScaleRule::Tensor) => boxed::<V, Group64, ByTensor>,
        (Layout::Rows4, ScaleRule::Tensor) => boxed::<V, Rows4, ByTensor>,
        (Layout::Sequential, ScaleRule::Tensor) => boxed::<V, Sequential, ByTensor>,
        (Layout::Tq2_0, ScaleRule::Block { .. }) => boxed::<V, Tq2_0, ByBlock>,
        (Layout::Tq1_0, ScaleRule::Block { .. }) => boxed::<V, Tq1_0, ByBlock>,
        _ => return None,
    };
    Some((isa, token.map(compute)))
}

impl<V: Compiled, D: Decode, S: Scaling> Compute for Simd<V, D, S> {
    fn dots(&self, weights: &Weights<'_>, rows: Range<usize>, activations: &[i8], out: &mut [i32]) {
        let (first, n) = (rows.start, rows.len());
        each_dot::<V, D>(self.0, weights, rows, activations, &mut |row, b, dots| {
            out[b * n + row - first..][..dots.len()].copy_from_slice(dots);
        });
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        S::products::<V, D>(self.0, weights, rows, activations, out);
    }

    fn products_f32(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[f32],
        out: &mut [f32],
    ) {
        let (v, cols) = (self.0, weights.cols());
        let blocks = cols.div_ceil(QK256);
        let mut panel = Panel::new(1, blocks);
        let mut values = vec![0.0; cols];
        for (r, row) in rows.clone().enumerate() {
            v.fill::<D>(&mut panel, weights, row..row + 1, 0..blocks);
            panel_values(v, &panel, weights, |_| 1.0, &mut values);
            let batch = activations.chunks_exact(cols);
            for (x, out) in batch.zip(out.iter_mut().skip(r).step_by(rows.len())) {
                let mut lanes = [0.0; F32_LANES];
                if weights.format().scale == ScaleRule::Tensor {
                    v.add_products(&mut lanes, &values, x);
                    *out = fold(lanes) * weights.scale(0);
                    continue;
                }
                let blocks = values.chunks(QK256).zip(x.chunks(QK256));
                for (scale, (values, x)) in panel.scales(0).iter().zip(blocks) {
                    let mut block_lanes = [0.0; F32_LANES];
                    v.add_products(&mut block_lanes, values, x);
                    for (lane, block_lane) in lanes.iter_mut().zip(block_lanes) {
                        *lane += block_lane * scale;
                    }
                }
                *out = fold(lanes);
            }
        }
    }

    fn unpack(&self, weights: &Weights<'_>, rows: Range<usize>, out: &mut [f32]) {
        let (v, cols) = (self.0, weights.cols());
        let blocks = cols.div_ceil(QK256);
        let mut panel = Panel::new(1, blocks);
        for (row, out) in rows.zip(out.chunks_exact_mut(cols)) {
            v.fill::<D>(&mut panel, weights, row..row + 1, 0..blocks);
            match weights.format().scale {
                ScaleRule::Tensor => {
                    let scale = weights.scale(0);
                    panel_values(v, &panel, weights, |_| scale, out);
                }
                ScaleRule::Block { .. } => panel_values(v, &panel, weights, |scale| scale, out),
            }
        }
    }
}

/// The values of a panel's first row, each multiplied by `factor(scale)` with the scale of its block.
fn panel_values<V: Compiled>(
    v: V,
    panel: &Panel,
    weights: &Weights<'_>,
    factor: impl Fn(f32) -> f32,
    out: &mut [f32],
) {
    let offset = f32::from(weights.format().codebook.offset());
    let blocks = panel.codes(0).chunks(STEPS).zip(panel.scales(0));
    for ((codes, &scale), out) in blocks.zip(out.chunks_mut(QK256)) {
        for (codes, out) in codes.iter().zip(out.chunks_mut(STEP)) {
            v.values(&codes.0, offset, factor(scale), out);
        }
    }
}

/// Exact integer dots of all rows with all activation rows. `sink` receives absolute row numbers.
fn each_dot<V: Compiled, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    rows: Range<usize>,
    activations: &[i8],
    sink: &mut Sink<'_, i32>,
) {
    let batch = Batch::new(activations, weights.cols());
    if batch.rows() < SMALLEST_GEMM {
        return v.gemv::<D>(weights, rows, &batch, sink);
    }
    let most = panel_blocks::<V>();
    let mut panel = Panel::new(rows.len(), most);
    let mut sums = vec![[0; PANEL]; batch.rows()];
    for first in rows.clone().step_by(PANEL) {
        let rows = first..rows.end.min(first + PANEL);
        sums.fill([0; PANEL]);
        for blocks in batch.runs(most) {
            v.fill::<D>(&mut panel, weights, rows.clone(), blocks.clone());
            v.gemm(&panel, &batch, blocks, &mut sums);
        }
        for (b, sums) in sums.iter().enumerate() {
            sink(first, b, &sums[..rows.len()]);
        }
    }
}
