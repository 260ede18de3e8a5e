//! Every planted mistake that concerns kernels.

use qk256::format::{Format, I2_S_GROUP128, Layout, QK256, TQ1_0, TQ2_0};

use super::Evaluator;
use super::faults::{codebook, columns_dropped, int16_wraps, layout};
use super::hooks::Hooks;
use super::wrong_steps::{
    any_value, dropped_at_borders, early_scale, read_as, reversed_shifts, zero_row_without_scale,
};
use crate::cause::Fault;
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
    /// What the diagnosis has to say of it in a format, to the figure.
    pub fault: fn(&Format) -> Fault,
    /// The step that is wrong.
    pub hooks: Hooks,
}

impl Mistake {
    /// What the diagnosis has to say of it in the format of this id.
    ///
    /// # Panics
    ///
    /// If it cannot happen to this format.
    pub fn fault_in(&self, format: &str) -> Fault {
        let mut formats = self.formats.iter();
        let format = formats.find(|other| other.id == format);
        (self.fault)(format.expect("a format of the mistake"))
    }

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
        fault: |format| codebook(format, [-3, -1, 1, 3]),
        hooks: Hooks {
            raw: |_, code| 2 * i64::from(code) - 2,
            ..RIGHT
        },
    },
    Mistake {
        name: "values-2-1-1-2",
        story: "codes mean -2, -1, +1, +2: what BitNet-rs assumed of files of bitnet.cpp",
        formats: ALL,
        fault: |format| codebook(format, [-2, -1, 1, 2]),
        hooks: Hooks {
            raw: |_, code| [-1, 0, 2, 3][usize::from(code)],
            ..RIGHT
        },
    },
    Mistake {
        name: "code-3-is-0",
        story: "code 3, which no quantizer writes, is taken for padding and counts nothing",
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
    Mistake {
        name: "sequential-unpack",
        story: "four consecutive weights to a byte, as BitNet-rs assumed of files of bitnet.cpp",
        formats: GROUPS,
        fault: |format| layout(format, Layout::Sequential, 252),
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Sequential, weights, row, col),
            ..RIGHT
        },
    },
    Mistake {
        name: "group64-read",
        story: "groups of 128 are read as groups of 64: microsoft/BitNet issues 585, 598 and 600",
        formats: GROUPS,
        fault: |format| layout(format, Layout::Group64, 192),
        hooks: Hooks {
            code: |weights, row, col| read_as(Layout::Group64, weights, row, col),
            ..RIGHT
        },
    },
    Mistake {
        name: "reversed-shifts",
        story: "the first weight is looked for at the other end of the byte: TQ2_0 read as I2_S or back",
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
    Mistake {
        name: "last-block-dropped",
        story: "the loop over blocks ends one early",
        formats: ALL,
        fault: |_| columns_dropped(true, 256, 0),
        hooks: Hooks {
            columns: |storage| (storage.cols() - 1) / QK256 * QK256,
            ..RIGHT
        },
    },
    Mistake {
        name: "tail-dropped",
        story: "columns beyond the last whole block of 256 are not multiplied",
        formats: GROUPS,
        fault: |_| columns_dropped(false, 384, 256),
        hooks: Hooks {
            columns: |storage| storage.cols() / QK256 * QK256,
            ..RIGHT
        },
    },
    Mistake {
        name: "tail-overread",
        story: "the last block is read whole where the row ends inside it",
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
    Mistake {
        name: "int16-wrap",
        story: "products are added in int16 and never widened: the reference widens after 4096 columns",
        formats: ALL,
        fault: int16_wraps,
        hooks: Hooks {
            lane: |sum| i64::from(sum as i16),
            ..RIGHT
        },
    },
    Mistake {
        name: "minus-128",
        story: "sign and magnitude of an activation are taken apart in int8, which has no +128",
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
    Mistake {
        name: "sum-not-subtracted",
        story: "codes 0, 1, 2 are multiplied for -1, 0, +1 and the activation sum is forgotten",
        formats: ALL,
        fault: |_| Fault::ActivationSum { subtracted: 0 },
        hooks: Hooks {
            subtractions: 0,
            ..RIGHT
        },
    },
    Mistake {
        name: "sum-subtracted-twice",
        story: "the kernel subtracts the activation sum, and so does its caller",
        formats: ALL,
        fault: |_| Fault::ActivationSum { subtracted: 2 },
        hooks: Hooks {
            subtractions: 2,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-dropped",
        story: "the scale behind the codes is taken for padding",
        formats: ALL,
        fault: |_| Fault::ScaleMissing {},
        hooks: Hooks {
            scale: |_, _| 1.0,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-inverted",
        story: "the scale divides where it should multiply",
        formats: ALL,
        fault: |_| Fault::ScaleInverted {},
        hooks: Hooks {
            scale: |weights, index| 1.0 / weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-4-bytes-early",
        story: "the last codes are read as the scale",
        formats: ALL,
        fault: |_| Fault::ScaleDisplaced { bytes: -4 },
        hooks: Hooks {
            scale: early_scale,
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-tenfold",
        story: "the scale is ten times too large, which no direction can tell",
        formats: ALL,
        fault: |_| Fault::ScaleRatio { ratio: 10.0 },
        hooks: Hooks {
            scale: |weights, index| 10.0 * weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "scale-7-percent",
        story: "the scale is 7 % too large, little enough for a model that still speaks",
        formats: ALL,
        fault: |_| Fault::ScaleRatio { ratio: 1.07 },
        hooks: Hooks {
            scale: |weights, index| 1.07 * weights.scale(index),
            ..RIGHT
        },
    },
    Mistake {
        name: "zero-row-divides",
        story: "a row of zeros gets activation scale 0, and is divided by it",
        formats: GROUPS,
        fault: |_| Fault::ZeroActivations {
            result: "NaN".into(),
        },
        hooks: Hooks {
            quantize: zero_row_without_scale,
            ..RIGHT
        },
    },
    Mistake {
        name: "nan-accepted",
        story: "NaN becomes a finite code without a word, as in the reference",
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
    Mistake {
        name: "row-zeroed",
        story: "the last row of every 128, where tiles meet, is left out",
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
    Mistake {
        name: "batch-swapped",
        story: "two columns of a batch change places on the way out of a tile",
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
    Mistake {
        name: "batch-stride",
        story: "results of a batch lie a row length apart, which square matrices forgive",
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
    Mistake {
        name: "thread-race",
        story: "each thread leaves the last of its rows to the next one",
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
