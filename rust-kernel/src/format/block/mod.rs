//! Descriptions of block formats: which bits of a block mean what.
//!
//! # Glossary
//!
//! - **block**: the bytes of a fixed number of consecutive weights of a row. Rows are whole blocks.
//! - **field**: numbers of the same kind in a block, such as all codes; see [`Field`].
//! - **code**: the unsigned number stored for a weight, or the index of a grid point for several weights.
//! - **quant**: the small signed integer `q` that a code means; see [`Quants`].
//! - **scale**: the float `d` of a block, or of a part of it; see [`Scale`].
//! - **sub-scale**: the small integer `s` by which the quants of a run of weights are multiplied; see [`SubScales`].
//! - **minimum**: the term `dmin * m` that is subtracted from the weights of a run; see [`Minimum`].
//! - **shift**: the eighth that the IQ1 types add to the quants of a run or subtract from them; see [`Shift`].
//!
//! A weight is `d * unit * s * (q + shift) - dmin * m`. Products and differences are computed in f32, in this order.

mod field;
mod grids;
mod scale;
mod table;

pub use field::{Field, Part, Step};
pub use scale::{Encoding, Scale};
pub use table::BLOCK_FORMATS;

use super::ActivationKind;
use crate::gguf::GgmlType;

/// The largest number of weights in a block.
pub const MAX_WEIGHTS: usize = 256;

/// The description of a block format.
#[derive(Debug, Clone, Copy)]
pub struct BlockFormat {
    /// Name of the tensor type, such as `q4_K`.
    pub name: &'static str,
    /// Type id in a GGUF file.
    pub ggml_type: GgmlType,
    /// Weights in a block.
    pub weights: usize,
    /// Bytes of a block.
    pub bytes: usize,
    /// Kind of activations that the dot product of the reference requires.
    pub activation: ActivationKind,
    /// The scales `d`.
    pub scale: Scale,
    /// A power of two by which all scales are multiplied.
    pub unit: f32,
    /// The quants `q`.
    pub quants: Quants,
    /// The sub-scales `s`.
    pub sub_scales: Option<SubScales>,
    /// The minimums `dmin * m`.
    pub minimum: Option<Minimum>,
    /// The shifts.
    pub shift: Option<Shift>,
    /// The order of additions of the reference's dot product.
    pub order: Order,
}

impl PartialEq for BlockFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BlockFormat {}

/// How codes mean quants.
#[derive(Debug, Clone, Copy)]
pub enum Quants {
    /// A code for each weight.
    Codes {
        /// The codes, at most 8 bits.
        field: Field,
        /// The quant of a code.
        meaning: Meaning,
    },
    /// A grid point for 8 or 4 weights.
    Grid {
        /// Indices of the points.
        index: Field,
        /// The points.
        grid: Grid,
        /// The signs of the quants, for grids of magnitudes.
        signs: Option<Field>,
    },
}

/// The quant of a code.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// The code minus a number.
    Minus(i16),
    /// The code as a number of 8 bits with a sign.
    Signed,
    /// An entry of a table.
    Table(&'static [i8]),
}

impl Meaning {
    /// The quant of a code of 8 bits or less.
    ///
    /// # Panics
    ///
    /// If the table has no such entry.
    pub const fn quant(self, code: u8) -> i8 {
        match self {
            Meaning::Minus(offset) => (code as i16 - offset) as i8,
            Meaning::Signed => code as i8,
            Meaning::Table(table) => table[code as usize],
        }
    }
}

/// The points of a grid: the quants of several consecutive weights.
#[derive(Debug, Clone, Copy)]
pub enum Grid {
    /// Points of eight weights.
    Eight(&'static [[i8; 8]]),
    /// Points of four weights.
    Four(&'static [[i8; 4]]),
}

impl Grid {
    /// Weights of a point.
    pub const fn weights(self) -> usize {
        match self {
            Grid::Eight(_) => 8,
            Grid::Four(_) => 4,
        }
    }

    /// A point.
    ///
    /// # Panics
    ///
    /// If there is no such point.
    pub fn point(self, index: usize) -> &'static [i8] {
        match self {
            Grid::Eight(points) => &points[index],
            Grid::Four(points) => &points[index],
        }
    }
}

/// Weights that share a byte of signs.
const SIGNED_RUN: usize = 8;

/// Small integers by which quants are multiplied.
#[derive(Debug, Clone, Copy)]
pub struct SubScales {
    /// The numbers.
    pub field: Field,
    /// Weights that share one.
    pub run: usize,
    /// The integer that a number means.
    pub meaning: Multiplier,
}

/// The integer that the number of a sub-scale means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplier {
    /// The number minus an offset.
    Minus(i32),
    /// A number of 8 bits with a sign.
    Signed,
    /// Twice the number plus one.
    Odd,
}

impl SubScales {
    /// The sub-scale of a run of weights.
    pub fn get(&self, block: &[u8], run: usize) -> i32 {
        let number = self.field.read(block, run);
        match self.meaning {
            Multiplier::Minus(offset) => number as i32 - offset,
            Multiplier::Signed => i32::from(number as u8 as i8),
            Multiplier::Odd => 2 * number as i32 + 1,
        }
    }
}

/// A term of all weights of a run.
#[derive(Debug, Clone, Copy)]
pub struct Minimum {
    /// The factor `dmin`.
    pub scale: Scale,
    /// The integers `m`. Without them, `m` is 1.
    pub field: Option<Field>,
    /// Weights that share one.
    pub run: usize,
    /// Whether the term is added, and not subtracted.
    pub added: bool,
}

impl Minimum {
    /// The integer `m` of a run of weights.
    pub fn get(&self, block: &[u8], run: usize) -> i32 {
        self.field.map_or(1, |field| field.read(block, run) as i32)
    }
}

/// A bit for each run of weights. If it is set, an eighth is subtracted from the quants of the run. Otherwise an eighth
/// is added.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    /// The bits.
    pub field: Field,
    /// Weights that share one.
    pub run: usize,
}

impl Shift {
    /// A shift in units of quants.
    pub const STEP: f32 = 0.125;

    /// The sign of the shift of a run of weights: 1 or -1.
    pub fn get(&self, block: &[u8], run: usize) -> i32 {
        1 - 2 * self.field.read(block, run) as i32
    }
}

/// The order in which the AVX2 code of the reference adds the terms of a dot product.
///
/// All types multiply eight int32 lanes by the scales of block and activations and add them to eight f32 lanes with a
/// fused multiply-add. Weight `i` of a block is in lane `i % 32 / 4`. The types differ in what they add besides, and in
/// how many f32 accumulators there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One accumulator.
    Lanes,
    /// Blocks alternate between two accumulators.
    Alternating,
    /// Pairs of blocks, one block for each of two accumulators. If the number of blocks is odd, the last one is added as
    /// one number to the sum.
    Pairs,
    /// The lanes of a block are first added, each multiplied by the scale of its activations. Then they are multiplied
    /// by the scale of the block.
    Nested,
    /// The minimums of a block are added to the same lanes, before the quants: lane `l` has those of runs `2l`, `2l + 1`.
    MinimumsInLanes,
    /// The minimums are added in four lanes of their own. Lane `l` has those of runs `2l` and `2l + 1`.
    MinimumsInFour,
    /// The minimums of a block are added as one number to a sum of their own, without fused multiply-add.
    MinimumsAlone,
    /// The shifts of a block are added as one number to a sum of their own, without fused multiply-add.
    ShiftsAlone,
    /// The shifts are added in eight lanes of their own.
    ShiftsInLanes,
    /// The lanes have the products of codes. The offset of the codes is subtracted by runs: lane `l` has that of runs `2l`
    /// and `2l + 1`.
    OffsetOfRuns,
}

impl BlockFormat {
    /// The block format of a tensor type, if it is one.
    pub fn of(ggml_type: GgmlType) -> Option<&'static BlockFormat> {
        BLOCK_FORMATS
            .iter()
            .find(|format| format.ggml_type == ggml_type)
    }

    /// The quants of a block.
    ///
    /// # Panics
    ///
    /// If `block` or `out` is shorter than a block.
    pub fn quants(&self, block: &[u8], out: &mut [i8]) {
        let out = &mut out[..self.weights];
        match self.quants {
            Quants::Codes { field, meaning } => {
                let mut codes = [0; MAX_WEIGHTS];
                let codes = &mut codes[..self.weights];
                field.read_all(block, codes);
                for (out, &code) in out.iter_mut().zip(&*codes) {
                    *out = meaning.quant(code);
                }
            }
            Quants::Grid { index, grid, signs } => {
                for (n, out) in out.chunks_exact_mut(grid.weights()).enumerate() {
                    out.copy_from_slice(grid.point(index.read(block, n) as usize));
                }
                for (n, out) in out.chunks_exact_mut(SIGNED_RUN).enumerate() {
                    let Some(signs) = &signs else { break };
                    let signs = eight_signs(signs, block, n);
                    for (i, out) in out.iter_mut().enumerate() {
                        *out = if signs >> i & 1 == 1 { -*out } else { *out };
                    }
                }
            }
        }
    }

    /// The weights of a block, as the reference converts them to f32.
    ///
    /// # Panics
    ///
    /// If `block` or `out` is shorter than a block.
    pub fn dequantize(&self, block: &[u8], out: &mut [f32]) {
        let mut quants = [0; MAX_WEIGHTS];
        self.quants(block, &mut quants);
        for (i, (out, &quant)) in out[..self.weights].iter_mut().zip(&quants).enumerate() {
            let mut factor = self.unit * self.scale.get(block, i);
            if let Some(sub_scales) = &self.sub_scales {
                factor *= sub_scales.get(block, i / sub_scales.run) as f32;
            }
            let mut quant = f32::from(quant);
            if let Some(shift) = &self.shift {
                quant += Shift::STEP * shift.get(block, i / shift.run) as f32;
            }
            *out = factor * quant;
            if let Some(minimum) = &self.minimum {
                let m = minimum.get(block, i / minimum.run) as f32;
                let term = minimum.scale.get(block, i) * m;
                *out = if minimum.added {
                    *out + term
                } else {
                    *out - term
                };
            }
        }
    }
}

/// The signs of eight weights, one bit each. If only seven are stored, the number of set bits of all eight is even.
fn eight_signs(field: &Field, block: &[u8], n: usize) -> u8 {
    let signs = field.read(block, n) as u8;
    if field.width() == SIGNED_RUN as u32 {
        signs
    } else {
        signs | ((signs.count_ones() as u8 & 1) << 7)
    }
}

#[cfg(test)]
mod tests;
