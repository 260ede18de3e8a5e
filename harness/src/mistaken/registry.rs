//! Every planted mistake that concerns kernels.

use half::f16;
use qk256::activation::{ActivationError, ActivationKind};
use qk256::format::{
    Digit, Flavour, Format, I2_S_GROUP128, Layout, QK256, ScaleRule, TQ1_0, TQ2_0, Weights,
};

use super::Evaluator;
use super::hooks::{Hooks, Product, QuantizedBatch};
use crate::side::Candidate;

/// A deliberate mistake.
#[derive(Debug, Clone, Copy)]
pub struct Mistake {
    /// Stable name.
    pub name: &'static str,
    /// How it comes about, and where it was seen.
    pub story: &'static str,
    /// The formats that it can happen to.
    pub formats: &'static [&'static Format],
    /// The step that is wrong.
    pub hooks: Hooks,
}

impl Mistake {
    /// The mistake as a candidate, once for each of its formats.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.formats.iter().map(|format| Candidate {
            side: Box::new(Evaluator::new(self.name, format, self.hooks)),
            format,
            slow: true,
        })
    }
}

const ALL: &[&Format] = &[&I2_S_GROUP128, &TQ2_0, &TQ1_0];
const TWO_BITS: &[&Format] = &[&I2_S_GROUP128, &TQ2_0];
const GROUPS: &[&Format] = &[&I2_S_GROUP128];

const RIGHT: Hooks = Hooks::RIGHT;

/// The mistakes, from the codes of a row to the results of a batch.
pub const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "values-3-1-1-3",
        story: "codes mean -3, -1, +1, +3: a placeholder of BitNet-rs before anyone had read a file",
        formats: ALL,
        hooks: Hooks {
            raw: |_, code| 2 * i64::from(code) - 2,
            ..RIGHT
        },
    },
    Mistake {
        name: "values-2-1-1-2",
        story: "codes mean -2, -1, +1, +2: what BitNet-rs assumed of files of bitnet.cpp",
        formats: ALL,
        hooks: Hooks {
            raw: |_, code| [-1, 0, 2, 3][usize::from(code)],
            ..RIGHT
        },
    },
    Mistake {
        name: "code-3-is-0",
        story: "code 3, which no quantizer writes, is taken for padding and counts nothing",
        formats: TWO_BITS,
        hooks: Hooks {
            raw: |format, code| i64::from(format.codebook.raw(if code == 3 { 1 } else { code })),
            ..RIGHT
        },
    },
    Mistake {
        name: "sequential-unpack",
        story: "four consecutive weights to a byte, as BitNet-rs assumed of files of bitnet.cpp",
        formats: GROUPS,
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Sequential, weights, row, col),
            ..RIGHT
        },
    },
    Mistake {
        name: "group64-read",
        story: "groups of 128 are read as groups of 64: microsoft/BitNet issues 585, 598 and 600",
        formats: GROUPS,
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Group64, weights, row, col),
            ..RIGHT
        },
    },
    Mistake {
        name: "reversed-shifts",
        story: "the first weight is looked for at the other end of the byte: TQ2_0 read as I2_S or back",
        formats: TWO_BITS,
        hooks: Hooks {
            code: reversed_shifts,
            ..RIGHT
        },
    },
    Mistake {
        name: "last-block-dropped",
        story: "the loop over blocks ends one early",
        formats: ALL,
        hooks: Hooks {
            columns: |storage| (storage.cols() - 1) / QK256 * QK256,
            ..RIGHT
        },
    },
    Mistake {
        name: "tail-dropped",
        story: "columns beyond the last whole block of 256 are not multiplied",
        formats: GROUPS,
        hooks: Hooks {
            columns: |storage| storage.cols() / QK256 * QK256,
            ..RIGHT
        },
    },
    Mistake {
        name: "tail-overread",
        story: "the last block is read whole where the row ends inside it",
        formats: GROUPS,
        hooks: Hooks {
            columns: |storage| storage.cols().next_multiple_of(QK256),
            ..RIGHT
        },
    },
    Mistake {
        name: "int16-wrap",
        story: "products are added in int16 and never widened: the reference widens after 4096 columns",
        formats: ALL,
        hooks: Hooks {
            lane: |sum| i64::from(sum as i16),
            ..RIGHT
        },
    },
    Mistake {
        name: "minus-128",
        story: "sign and magnitude of an activation are taken apart in int8, which has no +128",
        formats: ALL,
        hooks: Hooks {
            term: |raw, a| raw * i64::from(a.wrapping_abs()) * i64::from(a.signum()),
            ..RIGHT
        },
    },
    Mistake {
        name: "sum-not-subtracted",
        story: "codes 0, 1, 2 are multiplied for -1, 0, +1 and the activation sum is forgotten",
        formats: ALL,
        hooks: Hooks {
            subtractions: 0,
            ..RIGHT
        },
    },
    Mistake {
        name: "sum-subtracted-twice",
        story: "the kernel subtracts the activation sum, and so does its caller",
        formats: ALL,
        hooks: Hooks {
            subtractions: 2,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-dropped",
        story: "the scale behind the codes is taken for padding",
        formats: ALL,
        hooks: Hooks {
            scale: |_, _| 1.0,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-inverted",
        story: "the scale divides where it should multiply",
        formats: ALL,
        hooks: Hooks {
            scale: |weights, index| 1.0 / weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-4-bytes-early",
        story: "the last codes are read as the scale",
        formats: ALL,
        hooks: Hooks {
            scale: early_scale,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-tenfold",
        story: "the scale is ten times too large, which no direction can tell",
        formats: ALL,
        hooks: Hooks {
            scale: |weights, index| 10.0 * weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-7-percent",
        story: "the scale is 7 % too large, little enough for a model that still speaks",
        formats: ALL,
        hooks: Hooks {
            scale: |weights, index| 1.07 * weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "zero-row-divides",
        story: "a row of zeros gets activation scale 0, and is divided by it",
        formats: GROUPS,
        hooks: Hooks {
            quantize: zero_row_without_scale,
            ..RIGHT
        },
    },
    Mistake {
        name: "nan-accepted",
        story: "NaN becomes a finite code without a word, as in the reference",
        formats: ALL,
        hooks: Hooks {
            quantize: any_value,
            ..RIGHT
        },
    },
    Mistake {
        name: "row-zeroed",
        story: "the last row of every 128, where tiles meet, is left out",
        formats: ALL,
        hooks: Hooks {
            place: |product, batch, row| (row % 128 != 127).then_some(batch * product.rows + row),
            ..RIGHT
        },
    },
    Mistake {
        name: "batch-swapped",
        story: "two columns of a batch change places on the way out of a tile",
        formats: ALL,
        hooks: Hooks {
            place: |product, batch, row| {
                let other = if batch ^ 1 < product.batch {
                    batch ^ 1
                } else {
                    batch
                };
                Some(other * product.rows + row)
            },
            ..RIGHT
        },
    },
    Mistake {
        name: "batch-stride",
        story: "results of a batch lie a row length apart, which square matrices forgive",
        formats: ALL,
        hooks: Hooks {
            place: |product, batch, row| Some(batch * product.cols + row),
            ..RIGHT
        },
    },
    Mistake {
        name: "thread-race",
        story: "each thread leaves the last of its rows to the next one",
        formats: ALL,
        hooks: Hooks {
            place: dropped_at_borders,
            ..RIGHT
        },
    },
];

fn read_as(layout: Layout, weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let group = layout.group();
    let slot = layout.slot(0, col % group.weights);
    let byte = col / group.weights * group.bytes + slot.byte;
    let panel = weights.panel(row);
    slot.digit.read(panel[byte % panel.len()])
}

fn reversed_shifts(weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let slot = weights.storage().slot(row, col);
    let digit = match slot.digit {
        Digit::Bits { shift } => Digit::Bits { shift: 6 - shift },
        trit => trit,
    };
    digit.read(weights.bytes()[slot.byte])
}

fn early_scale(weights: &Weights<'_>, index: usize) -> f32 {
    let storage = weights.storage();
    let Some(first) = storage.scale_offset() else {
        return weights.scale(index);
    };
    let bytes = weights.bytes();
    match (storage.format().scale, storage.flavour()) {
        (ScaleRule::Block { .. }, Flavour::Blocks) => {
            let at = first + index * storage.unit_bytes() - 4;
            f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
        }
        _ => f32::from_le_bytes(std::array::from_fn(|i| bytes[first - 4 + i])),
    }
}

fn zero_row_without_scale(
    kind: ActivationKind,
    cols: usize,
    values: &[f32],
) -> Result<QuantizedBatch, ActivationError> {
    let mut quantized = (RIGHT.quantize)(kind, cols, values)?;
    for (scale, row) in quantized.scales.iter_mut().zip(values.chunks(cols)) {
        if row.iter().all(|&value| value == 0.0) {
            *scale = 0.0;
        }
    }
    Ok(quantized)
}

fn any_value(
    kind: ActivationKind,
    cols: usize,
    values: &[f32],
) -> Result<QuantizedBatch, ActivationError> {
    let finite = |&value: &f32| if value.is_finite() { value } else { 0.0 };
    (RIGHT.quantize)(kind, cols, &values.iter().map(finite).collect::<Vec<_>>())
}

fn dropped_at_borders(product: &Product, batch: usize, row: usize) -> Option<usize> {
    let share = product.rows.div_ceil(product.threads);
    let lost = row % share == share - 1 && row + 1 < product.rows;
    (!lost || product.threads == 1).then_some(batch * product.rows + row)
}
