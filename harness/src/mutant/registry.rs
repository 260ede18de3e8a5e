//! The mutants of kernels.

use qk256::format::{Format, I2_S_GROUP128, Layout, QK256, TQ1_0, TQ2_0};

use super::Evaluator;
use super::faults::{codebook, columns_dropped, int16_wraps, layout};
use super::hooks::Hooks;
use super::wrong_steps::{
    any_value, dropped_at_borders, early_scale, read_as, reversed_shifts, zero_row_without_scale,
};
use crate::cause::Fault;
use crate::participant::Candidate;

/// A mutant of a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// Stable name.
    pub name: &'static str,
    /// Description of the bug and where it occurred.
    pub description: &'static str,
    /// Formats that the bug applies to.
    pub formats: &'static [&'static Format],
    /// The fault that the diagnosis must find in a format, with its parameters.
    pub fault: fn(&Format) -> Fault,
    /// The steps with the wrong one.
    pub hooks: Hooks,
}

impl Mutant {
    /// The fault that the diagnosis must find in the format with this id.
    ///
    /// # Panics
    ///
    /// If the mutant does not apply to this format.
    pub fn fault_in(&self, format: &str) -> Fault {
        let mut formats = self.formats.iter();
        let format = formats.find(|other| other.id == format);
        (self.fault)(format.expect("a format of the mutant"))
    }

    /// The mutant as a candidate for each of its formats.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        self.formats.iter().map(|format| Candidate {
            implementation: Box::new(Evaluator::new(self.name, format, self.hooks)),
            format,
            slow: true,
        })
    }
}

const ALL: &[&Format] = &[&I2_S_GROUP128, &TQ2_0, &TQ1_0];
const TWO_BITS: &[&Format] = &[&I2_S_GROUP128, &TQ2_0];
const GROUPS: &[&Format] = &[&I2_S_GROUP128];

const RIGHT: Hooks = Hooks::RIGHT;

/// The mutants, ordered from the codes of a row to the results of a batch.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "values-3-1-1-3",
        description: "codes mean -3, -1, +1, +3: a placeholder in BitNet-rs",
        formats: ALL,
        fault: |format| codebook(format, [-3, -1, 1, 3]),
        hooks: Hooks {
            raw: |_, code| 2 * i64::from(code) - 2,
            ..RIGHT
        },
    },
    Mutant {
        name: "values-2-1-1-2",
        description: "codes mean -2, -1, +1, +2: what BitNet-rs assumed of files of bitnet.cpp",
        formats: ALL,
        fault: |format| codebook(format, [-2, -1, 1, 2]),
        hooks: Hooks {
            raw: |_, code| [-1, 0, 2, 3][usize::from(code)],
            ..RIGHT
        },
    },
    Mutant {
        name: "code-3-is-0",
        description: "code 3, which no quantizer writes, is treated as padding with value 0",
        formats: TWO_BITS,
        fault: |_| Fault::CodeThree {
            value: 0,
            declared: 2,
        },
        hooks: Hooks {
            raw: |format, code| i64::from(format.codebook.raw(if code == 3 { 1 } else { code })),
            ..RIGHT
        },
    },
    Mutant {
        name: "sequential-unpack",
        description: "four consecutive weights to a byte, as BitNet-rs assumed of files of bitnet.cpp",
        formats: GROUPS,
        fault: |format| layout(format, Layout::Sequential, 252),
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Sequential, weights, row, col),
            ..RIGHT
        },
    },
    Mutant {
        name: "group64-read",
        description: "groups of 128 are read as groups of 64: microsoft/BitNet issues 585, 598 and 600",
        formats: GROUPS,
        fault: |format| layout(format, Layout::Group64, 192),
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Group64, weights, row, col),
            ..RIGHT
        },
    },
    Mutant {
        name: "reversed-shifts",
        description: "the weights of a byte are read in reversed order: TQ2_0 read as I2_S or the reverse",
        formats: TWO_BITS,
        fault: |format| match format.layout {
            Layout::Tq2_0 => layout(format, Layout::Group128, 256),
            _ => layout(format, Layout::Tq2_0, 256),
        },
        hooks: Hooks {
            code: reversed_shifts,
            ..RIGHT
        },
    },
    Mutant {
        name: "last-block-dropped",
        description: "the loop over blocks ends one early",
        formats: ALL,
        fault: |_| columns_dropped(true, 256, 0),
        hooks: Hooks {
            columns: |storage| (storage.cols() - 1) / QK256 * QK256,
            ..RIGHT
        },
    },
    Mutant {
        name: "tail-dropped",
        description: "columns beyond the last whole block of 256 are not multiplied",
        formats: GROUPS,
        fault: |_| columns_dropped(false, 384, 256),
        hooks: Hooks {
            columns: |storage| storage.cols() / QK256 * QK256,
            ..RIGHT
        },
    },
    Mutant {
        name: "tail-overread",
        description: "the last block is read whole although the row ends inside it",
        formats: GROUPS,
        fault: |_| Fault::ReadPastEnd {
            cols: 128,
            read: 256,
        },
        hooks: Hooks {
            columns: |storage| storage.cols().next_multiple_of(QK256),
            ..RIGHT
        },
    },
    Mutant {
        name: "int16-wrap",
        description: "products are added in int16 and never widened: the reference widens after 4096 columns",
        formats: ALL,
        fault: int16_wraps,
        hooks: Hooks {
            lane: |sum| i64::from(sum as i16),
            ..RIGHT
        },
    },
    Mutant {
        name: "minus-128",
        description: "sign and magnitude of an activation are split in int8, which has no +128",
        formats: ALL,
        fault: |_| Fault::ActivationCode {
            codes: 1,
            first: -128,
            taken_for: 128,
        },
        hooks: Hooks {
            term: |raw, a| raw * i64::from(a.wrapping_abs()) * i64::from(a.signum()),
            ..RIGHT
        },
    },
    Mutant {
        name: "sum-not-subtracted",
        description: "codes 0, 1, 2 are multiplied for -1, 0, +1 and the activation sum is not subtracted",
        formats: ALL,
        fault: |_| Fault::ActivationSum { subtracted: 0 },
        hooks: Hooks {
            subtractions: 0,
            ..RIGHT
        },
    },
    Mutant {
        name: "sum-subtracted-twice",
        description: "the kernel subtracts the activation sum, and so does its caller",
        formats: ALL,
        fault: |_| Fault::ActivationSum { subtracted: 2 },
        hooks: Hooks {
            subtractions: 2,
            ..RIGHT
        },
    },
    Mutant {
        name: "scale-dropped",
        description: "the scale behind the codes is treated as padding",
        formats: ALL,
        fault: |_| Fault::ScaleMissing {},
        hooks: Hooks {
            scale: |_, _| 1.0,
            ..RIGHT
        },
    },
    Mutant {
        name: "scale-inverted",
        description: "the result is divided by the scale instead of multiplied",
        formats: ALL,
        fault: |_| Fault::ScaleInverted {},
        hooks: Hooks {
            scale: |weights, index| 1.0 / weights.scale(index),
            ..RIGHT
        },
    },
    Mutant {
        name: "scale-4-bytes-early",
        description: "the last codes are read as the scale",
        formats: ALL,
        fault: |_| Fault::ScaleDisplaced { bytes: -4 },
        hooks: Hooks {
            scale: early_scale,
            ..RIGHT
        },
    },
    Mutant {
        name: "scale-tenfold",
        description: "the scale is ten times too large, which cosine similarity does not detect",
        formats: ALL,
        fault: |_| Fault::ScaleRatio { ratio: 10.0 },
        hooks: Hooks {
            scale: |weights, index| 10.0 * weights.scale(index),
            ..RIGHT
        },
    },
    Mutant {
        name: "scale-7-percent",
        description: "the scale is 7 % too large, with which a model still generates plausible text",
        formats: ALL,
        fault: |_| Fault::ScaleRatio { ratio: 1.07 },
        hooks: Hooks {
            scale: |weights, index| 1.07 * weights.scale(index),
            ..RIGHT
        },
    },
    Mutant {
        name: "zero-row-divides",
        description: "a row of zeros gets activation scale 0 and is divided by it",
        formats: GROUPS,
        fault: |_| Fault::ZeroActivations {
            result: "NaN".into(),
        },
        hooks: Hooks {
            quantize: zero_row_without_scale,
            ..RIGHT
        },
    },
    Mutant {
        name: "nan-accepted",
        description: "NaN becomes a finite code without an error, as in the reference",
        formats: ALL,
        fault: |_| Fault::NotFiniteAccepted {
            activation: "NaN".into(),
            result: "511".into(),
        },
        hooks: Hooks {
            quantize: any_value,
            ..RIGHT
        },
    },
    Mutant {
        name: "row-zeroed",
        description: "the last row of every 128, at the border of tiles, is not computed",
        formats: ALL,
        fault: |_| Fault::RowsZeroed {
            first: 127,
            every: Some(128),
            rows: 300,
        },
        hooks: Hooks {
            place: |product, batch, row| (row % 128 != 127).then_some(batch * product.rows + row),
            ..RIGHT
        },
    },
    Mutant {
        name: "batch-swapped",
        description: "two columns of a batch are swapped when a tile is stored",
        formats: ALL,
        fault: |_| Fault::BatchPermuted {
            order: vec![1, 0, 2],
        },
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
    Mutant {
        name: "batch-stride",
        description: "results of a batch are stored a row length apart, which does not show with square matrices",
        formats: ALL,
        fault: |_| Fault::BatchStride {
            stride: 256,
            rows: 300,
            cols: 256,
        },
        hooks: Hooks {
            place: |product, batch, row| Some(batch * product.cols + row),
            ..RIGHT
        },
    },
    Mutant {
        name: "thread-race",
        description: "each thread skips the last of its rows",
        formats: ALL,
        fault: |_| Fault::Threads {
            threads: 2,
            differ: 2,
            of: 128,
        },
        hooks: Hooks {
            place: dropped_at_borders,
            ..RIGHT
        },
    },
];
