//! Products of block formats, in the order of additions of the reference's AVX2 code.
//!
//! Source: `ggml_vec_dot_*` in `ggml-cpu/arch/x86/quants.c` and `tiled_run_microtile_avx2` in
//! `ggml-cpu/tiled/tiled-kernel.cpp` of `llama-cpp-sys-4` 0.11.0.

use super::arithmetic::{INT_LANES, fold};
use crate::activation::{ActivationKind, ActivationsRef};
#[cfg(target_arch = "x86_64")]
use crate::compiled_for;
use crate::format::QK256;
use crate::format::block::{BlockFormat, MAX_WEIGHTS, Meaning, Order, Quants, Shift};
#[cfg(target_arch = "x86_64")]
use crate::isa::Avx2;

/// Weights of a step: those that fill the eight lanes once.
const STEP: usize = 32;
/// Weights that share a partial sum of `Q8_K` activations, and the shortest run of a sub-scale.
const RUN: usize = 16;
/// The shortest run of a shift.
const SHIFT_RUN: usize = 8;

type Lanes<T> = [T; INT_LANES];

/// The order of additions in the products of block formats of 256 weights, which changed over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vintage {
    /// bitnet.cpp, and llama.cpp of 2024. Dot products of Q6_K subtract the offset from each code.
    Of2024,
    /// llama.cpp of today. Dot products of Q6_K subtract the offset from sums of 16 activations, and
    /// eight or more activation rows are multiplied in tiles: the integer sum of a block is converted to
    /// f32 as a whole, and scaled by the block and then by the activations.
    #[default]
    OfToday,
}

impl Vintage {
    /// Whether the products of a format depend on the vintage.
    pub fn changes(format: &BlockFormat) -> bool {
        format.activation == ActivationKind::Q8K
    }
}

/// The number of activation rows from which on llama.cpp of today multiplies in tiles (`ggml_tiled_min_batch`).
pub(crate) const TILED_BATCH: usize = 8;

/// The numbers of a block. Those of longer runs are repeated.
struct Block {
    quants: [i8; MAX_WEIGHTS],
    /// For each [`RUN`].
    scales: [f32; MAX_WEIGHTS / RUN],
    /// For each [`RUN`].
    sub_scales: [i32; MAX_WEIGHTS / RUN],
    minimum: f32,
    /// For each [`RUN`].
    minimums: [i32; MAX_WEIGHTS / RUN],
    /// For each [`SHIFT_RUN`].
    shifts: [i32; MAX_WEIGHTS / SHIFT_RUN],
}

impl Block {
    const EMPTY: Block = Block {
        quants: [0; MAX_WEIGHTS],
        scales: [0.0; MAX_WEIGHTS / RUN],
        sub_scales: [1; MAX_WEIGHTS / RUN],
        minimum: 0.0,
        minimums: [0; MAX_WEIGHTS / RUN],
        shifts: [1; MAX_WEIGHTS / SHIFT_RUN],
    };

    #[inline(always)]
    fn decode(&mut self, format: &BlockFormat, block: &[u8]) {
        format.quants(block, &mut self.quants);
        let runs = |run: usize| (0..format.weights).step_by(run);
        for (n, weight) in runs(RUN).enumerate() {
            self.scales[n] = if weight % format.scale.run == 0 {
                format.scale.get(block, weight)
            } else {
                self.scales[n - 1]
            };
        }
        if let Some(sub_scales) = &format.sub_scales {
            for (out, weight) in self.sub_scales.iter_mut().zip(runs(RUN)) {
                *out = sub_scales.get(block, weight / sub_scales.run);
            }
        }
        if let Some(minimum) = &format.minimum {
            self.minimum = minimum.scale.get(block, 0);
            for (out, weight) in self.minimums.iter_mut().zip(runs(RUN)) {
                *out = minimum.get(block, weight / minimum.run);
            }
        }
        if let Some(shift) = &format.shift {
            for (out, weight) in self.shifts.iter_mut().zip(runs(SHIFT_RUN)) {
                *out = shift.get(block, weight / shift.run);
            }
        }
    }

    /// The integer sums of a step by lane, without sub-scales.
    #[inline(always)]
    fn step(&self, step: usize, a: &[i8; STEP]) -> Lanes<i32> {
        let quants = &self.quants[step * STEP..][..STEP];
        std::array::from_fn(|lane| {
            let four = 4 * lane..4 * lane + 4;
            let products = quants[four.clone()].iter().zip(&a[four]);
            products
                .map(|(&q, &a)| i32::from(q) * i32::from(a))
                .sum::<i32>()
        })
    }

    /// The integer sums of a block by lane.
    #[inline(always)]
    fn lanes(&self, a: &[i8]) -> Lanes<i32> {
        let mut lanes = [0; INT_LANES];
        for (n, a) in a.as_chunks().0.iter().enumerate() {
            for (i, (lane, sum)) in lanes.iter_mut().zip(self.step(n, a)).enumerate() {
                *lane += self.sub_scales[2 * n + i / 4] * sum;
            }
        }
        lanes
    }

    /// The sums of activations by lane, each multiplied by the shift and the sub-scale of its run.
    #[inline(always)]
    fn shifts(&self, a: &[i8]) -> Lanes<i32> {
        let mut lanes = [0; INT_LANES];
        for (n, four) in a.as_chunks::<4>().0.iter().enumerate() {
            let sum: i32 = four.iter().map(|&a| i32::from(a)).sum();
            lanes[n % INT_LANES] += sum * self.shifts[n / 2] * self.sub_scales[n / 4];
        }
        lanes
    }
}

/// Lane `l` has the products of runs `2l` and `2l + 1`.
#[inline(always)]
fn by_pairs(numbers: &[i32; QK256 / RUN], sums: &[i32]) -> Lanes<i32> {
    std::array::from_fn(|l| numbers[2 * l] * sums[2 * l] + numbers[2 * l + 1] * sums[2 * l + 1])
}

/// The accumulators of a dot product.
#[derive(Clone, Copy)]
struct Sums {
    lanes: [Lanes<f32>; 2],
    /// Minimums or shifts.
    other: Lanes<f32>,
    /// A block that is added to the sum of the lanes; the whole sum in tiles.
    last: f32,
}

impl Sums {
    const ZERO: Sums = Sums {
        lanes: [[0.0; INT_LANES]; 2],
        other: [0.0; INT_LANES],
        last: 0.0,
    };

    /// Adds a block that has one scale of activations.
    #[inline(always)]
    fn add_super_block(&mut self, dot: &Dot, block: &Block, a: &[i8], scale: f32, sums: &[i32]) {
        let factor = scale * block.scales[0];
        let minimum = -scale * block.minimum;
        let mut lanes = block.lanes(a);
        match dot.order {
            Order::MinimumsInLanes => {
                add(&mut self.lanes[0], minimum, by_pairs(&block.minimums, sums));
            }
            Order::MinimumsInFour => {
                let pairs = by_pairs(&block.minimums, sums);
                let mut four = [0; INT_LANES];
                for (four, [a, b]) in four.iter_mut().zip(pairs.as_chunks().0) {
                    *four = a + b;
                }
                add(&mut self.other, minimum, four);
            }
            Order::MinimumsAlone => {
                let total: i32 = by_pairs(&block.minimums, sums).iter().sum();
                self.other[0] += minimum * total as f32;
            }
            Order::ShiftsAlone => {
                self.other[0] += factor * block.shifts(a).iter().sum::<i32>() as f32;
            }
            Order::ShiftsInLanes => add(&mut self.other, factor, block.shifts(a)),
            Order::OffsetOfRuns => {
                let of_codes = block.shifts(a);
                let of_runs = by_pairs(&block.sub_scales, sums);
                for (lane, (codes, runs)) in lanes.iter_mut().zip(of_codes.iter().zip(of_runs)) {
                    *lane += dot.offset * (codes - runs);
                }
            }
            Order::Lanes | Order::Alternating | Order::Pairs | Order::Nested => {}
        }
        add(&mut self.lanes[0], factor, lanes);
    }

    /// Adds a block as a part of a tile.
    #[inline(always)]
    fn add_tile(&mut self, dot: &Dot, block: &Block, a: &[i8], scale: f32, sums: &[i32]) {
        let mut total: i32 = block.lanes(a).iter().sum();
        let mut factor = dot.format.unit * block.scales[0];
        if dot.format.shift.is_some() {
            // In eighths.
            total = 8 * total + block.shifts(a).iter().sum::<i32>();
            factor *= Shift::STEP;
        }
        let mut product = factor * total as f32;
        if dot.format.minimum.is_some() {
            let minimums: i32 = by_pairs(&block.minimums, sums).iter().sum();
            product = (-block.minimum).mul_add(minimums as f32, product);
        }
        self.last = product.mul_add(scale, self.last);
    }

    /// Adds block `n`, whose steps have activations with a scale each. `is_odd_last` is set for the last block of a row
    /// with an odd number of blocks.
    #[inline(always)]
    fn add_block(
        &mut self,
        order: Order,
        block: &Block,
        (n, is_odd_last): (usize, bool),
        a: &[i8],
        scales: impl Iterator<Item = f32>,
    ) {
        let steps = a.as_chunks().0.iter().zip(scales).enumerate();
        if order == Order::Nested {
            let mut nested = [0.0; INT_LANES];
            steps.for_each(|(step, (a, scale))| add(&mut nested, scale, block.step(step, a)));
            for (lane, nested) in self.lanes[0].iter_mut().zip(nested) {
                *lane = block.scales[0].mul_add(nested, *lane);
            }
            return;
        }
        let lanes = match order {
            Order::Pairs | Order::Alternating => &mut self.lanes[n % 2],
            _ => &mut self.lanes[0],
        };
        for (step, (a, scale)) in steps {
            let sums = block.step(step, a);
            if order == Order::Pairs && is_odd_last {
                self.last = scale * block.scales[0] * sums.iter().sum::<i32>() as f32;
                continue;
            }
            for (i, (lane, sum)) in lanes.iter_mut().zip(sums).enumerate() {
                let factor = block.scales[2 * step + i / 4] * scale;
                *lane = factor.mul_add(sum as f32, *lane);
            }
        }
    }

    #[inline(always)]
    fn finish(self, order: Order, unit: f32) -> f32 {
        let [first, second] = self.lanes;
        let both = || fold::<INT_LANES>(std::array::from_fn(|i| first[i] + second[i]));
        match order {
            Order::Alternating => both(),
            Order::Pairs => both() + self.last,
            Order::MinimumsInFour => fold(first) + fold(self.other),
            Order::MinimumsAlone => fold(first) + self.other[0],
            Order::ShiftsAlone => fold(first) + Shift::STEP * self.other[0],
            Order::ShiftsInLanes => fold(first) + Shift::STEP * fold(self.other),
            Order::Lanes | Order::Nested | Order::MinimumsInLanes | Order::OffsetOfRuns => {
                unit * fold(first)
            }
        }
    }
}

#[inline(always)]
fn add(lanes: &mut Lanes<f32>, factor: f32, sums: Lanes<i32>) {
    for (lane, sum) in lanes.iter_mut().zip(sums) {
        *lane = factor.mul_add(sum as f32, *lane);
    }
}

/// The dot product of a format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dot {
    format: &'static BlockFormat,
    order: Order,
    /// The number that is subtracted from codes, if that is a part of the order.
    offset: i32,
    vintage: Vintage,
}

impl Dot {
    pub(crate) fn new(format: &'static BlockFormat, vintage: Vintage) -> Dot {
        let offset = match format.quants {
            Quants::Codes {
                meaning: Meaning::Minus(offset),
                ..
            } => i32::from(offset),
            _ => 0,
        };
        let order = match (format.order, vintage) {
            (Order::OffsetOfRuns, Vintage::Of2024) => Order::Lanes,
            (order, _) => order,
        };
        Dot {
            format,
            order,
            offset,
            vintage,
        }
    }

    /// The format.
    pub(crate) fn format(&self) -> &'static BlockFormat {
        self.format
    }

    /// `out[b]`: the product of a row of weights with activation row `b`. `row` is whole blocks, as many as the rows of
    /// activations need. `activations` are of the format's kind.
    pub(crate) fn products(&self, row: &[u8], activations: ActivationsRef<'_>, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if Avx2::detect().is_some() {
            // SAFETY: the token proves the features.
            return unsafe { products_avx2(self, row, activations, out) };
        }
        self.products_portably(row, activations, out);
    }

    #[inline(always)]
    fn products_portably(&self, row: &[u8], activations: ActivationsRef<'_>, out: &mut [f32]) {
        debug_assert_eq!(activations.kind(), self.format.activation);
        let format = self.format;
        let tiled = self.vintage == Vintage::OfToday
            && out.len() >= TILED_BATCH
            && Vintage::changes(format);
        let mut totals = vec![Sums::ZERO; out.len()];
        let mut block = Block::EMPTY;
        let of_row = activations.cols() / format.weights;
        for (n, bytes) in row.chunks_exact(format.bytes).enumerate() {
            block.decode(format, bytes);
            let weights = n * format.weights..(n + 1) * format.weights;
            let last = (n, n + 1 == of_row && of_row % 2 == 1);
            for (b, total) in totals.iter_mut().enumerate() {
                let a = &activations.codes()[b * activations.cols()..][weights.clone()];
                let scales = activations.row_scales(b);
                let steps = weights.start / STEP..weights.end / STEP;
                match format.activation {
                    ActivationKind::Q8K => {
                        let sums = &activations.row_sums(b)[weights.start / RUN..weights.end / RUN];
                        if tiled {
                            total.add_tile(self, &block, a, scales[n], sums);
                        } else {
                            total.add_super_block(self, &block, a, scales[n], sums);
                        }
                    }
                    ActivationKind::Q8_1 => {
                        let steps = &scales.as_chunks::<2>().0[steps];
                        let of_steps = steps.iter().map(|&[scale, _]| scale);
                        total.add_block(self.order, &block, last, a, of_steps);
                        for [_, sum] in steps {
                            total.other[0] += block.minimum * sum;
                        }
                    }
                    ActivationKind::Q8_0 | ActivationKind::I8S => {
                        let of_steps = scales[steps].iter().copied();
                        total.add_block(self.order, &block, last, a, of_steps);
                    }
                }
            }
        }
        for (out, total) in out.iter_mut().zip(totals) {
            *out = if tiled {
                total.last
            } else {
                total.finish(self.order, format.unit)
            };
        }
    }
}

#[cfg(target_arch = "x86_64")]
compiled_for! { Avx2:
    /// [`Dot::products_portably`] compiled for AVX2. The operations are the same, so the bits are equal.
    fn products_avx2(
        dot: &Dot,
        row: &[u8],
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        dot.products_portably(row, activations, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activations;
    use crate::dense::samples::values;
    use crate::format::block::BLOCK_FORMATS;

    /// A row with random numbers, and scales around 1.
    fn row(format: &BlockFormat, blocks: usize) -> Vec<u8> {
        let bytes = values(blocks * format.bytes, 3)
            .into_iter()
            .map(|x| (x * 128.0) as i8 as u8);
        let mut row: Vec<u8> = bytes.collect();
        let minimum = format.minimum.map(|minimum| minimum.scale);
        for block in row.chunks_exact_mut(format.bytes) {
            for scale in [Some(format.scale), minimum].into_iter().flatten() {
                for n in 0..scale.field.count() {
                    let old = scale.field.read(block, n);
                    let exponent = match scale.field.width() {
                        16 => 14 << 10 | old & 0x3ff,
                        _ => old & 7 | 7 << 3,
                    };
                    scale.field.write(block, n, exponent);
                }
            }
        }
        row
    }

    /// The value of each activation code.
    fn values_of(activations: ActivationsRef<'_>) -> Vec<f64> {
        let scales: Vec<f32> = match activations.kind() {
            ActivationKind::Q8_1 => activations.scales().iter().copied().step_by(2).collect(),
            _ => activations.scales().to_vec(),
        };
        let run = activations.kind().run(activations.cols());
        let codes = activations.codes().iter().enumerate();
        let value = |(i, &code)| f64::from(code) * f64::from(scales[i / run]);
        codes.map(value).collect()
    }

    #[test]
    fn products_are_near_those_of_the_weights() {
        for format in BLOCK_FORMATS {
            // Odd and even numbers of blocks.
            for (blocks, batch) in [(1, 3), (2, 3), (5, 3), (3, TILED_BATCH)] {
                let (cols, batch) = (blocks * format.weights, batch);
                let row = row(format, blocks);
                let x: Vec<f32> = values(batch * cols, 5);
                let a = Activations::quantize(format.activation, cols, &x).unwrap();
                let mut weights = vec![0.0; cols];
                for (block, weights) in row
                    .chunks_exact(format.bytes)
                    .zip(weights.chunks_exact_mut(format.weights))
                {
                    format.dequantize(block, weights);
                }
                for vintage in [Vintage::Of2024, Vintage::OfToday] {
                    let mut products = vec![0.0; batch];
                    Dot::new(format, vintage).products(&row, a.view(), &mut products);
                    let values = values_of(a.view());
                    for (values, product) in values.chunks(cols).zip(products) {
                        let terms = || values.iter().zip(&weights).map(|(a, &w)| a * f64::from(w));
                        let (exact, size): (f64, f64) =
                            (terms().sum(), terms().map(f64::abs).sum());
                        // The sum of Q8_1 is an f16.
                        let least = if format.activation == ActivationKind::Q8_1 {
                            1e-3
                        } else {
                            1e-6
                        };
                        let error = (exact - f64::from(product)).abs() / size;
                        assert!(error < least, "{}, {blocks} blocks: {error}", format.name);
                    }
                }
            }
        }
    }

    #[test]
    fn vintages_differ_in_the_offset_of_q6_k_and_in_tiles() {
        let differ = |name: &str, batch: usize| {
            let format = BLOCK_FORMATS.iter().find(|f| f.name == name).unwrap();
            let row = row(format, 3);
            // As many products in calls of `batch` rows as there are rows.
            let products = |vintage| {
                let call = |seed| {
                    let x: Vec<f32> = values(batch * row.len() / format.bytes * QK256, seed);
                    let a = Activations::quantize(format.activation, 3 * QK256, &x).unwrap();
                    let mut out = vec![0.0; batch];
                    Dot::new(format, vintage).products(&row, a.view(), &mut out);
                    out
                };
                (0..16).flat_map(call).collect::<Vec<f32>>()
            };
            products(Vintage::Of2024) != products(Vintage::OfToday)
        };
        assert!(differ("q6_K", 1) && !differ("q4_K", 1));
        assert!(!differ("q4_K", TILED_BATCH - 1) && differ("q4_K", TILED_BATCH));
        assert!(!differ("q4_0", TILED_BATCH));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_and_portable_code_give_the_same_bits() {
        testing::require!(Avx2::demand());
        for format in BLOCK_FORMATS {
            let (cols, batch) = (5 * format.weights, 4);
            let row = row(format, 5);
            let x: Vec<f32> = values(batch * cols, 6);
            let a = Activations::quantize(format.activation, cols, &x).unwrap();
            let dot = Dot::new(format, Vintage::default());
            let (mut by_avx2, mut portable) = (vec![0.0; batch], vec![1.0; batch]);
            // SAFETY: `require!` above ends the test if the CPU lacks AVX2.
            unsafe { products_avx2(&dot, &row, a.view(), &mut by_avx2) };
            dot.products_portably(&row, a.view(), &mut portable);
            assert_eq!(by_avx2, portable, "{}", format.name);
        }
    }
}
