//! Why a side is wrong, as far as the evidence shows.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault that explains wrong results, with how many of those that were looked at it explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Id of the side that has the fault.
    pub side: String,
    /// What is wrong with it.
    pub fault: Fault,
    /// Where the fault is, if it is not everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_in: Option<Extent>,
    /// Wrong results that follow from the fault, to the number.
    pub explained: u64,
    /// All wrong results that were looked at, those of the finding among them.
    pub wrong: u64,
}

impl Cause {
    /// Whether the fault alone explains everything that is wrong.
    pub fn is_whole(&self) -> bool {
        self.explained == self.wrong
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause {
            side,
            fault,
            only_in,
            explained,
            wrong,
        } = self;
        write!(f, "{fault} (in {side}")?;
        if let Some(extent) = only_in {
            write!(f, ", only in {extent}")?;
        }
        write!(f, "; ")?;
        if self.is_whole() {
            write!(f, "explains all {wrong} wrong results looked at)")
        } else {
            write!(
                f,
                "explains {explained} of {wrong} wrong results looked at)"
            )
        }
    }
}

/// A part of what a side computes, which has a path of its own there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// `dots` or `products`, if it is one of them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The smallest batch tried that has the fault, if smaller ones have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_batch: Option<usize>,
    /// The largest batch tried that has the fault, if larger ones have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_batch: Option<usize>,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation.as_deref().unwrap_or("results"))?;
        match (self.least_batch, self.most_batch) {
            (None, None) => Ok(()),
            (Some(least), None) => write!(f, " of batches from {least}"),
            (None, Some(most)) => write!(f, " of batches up to {most}"),
            (Some(least), Some(most)) => write!(f, " of batches from {least} to {most}"),
        }
    }
}

/// What can be wrong with a side. None is a unit variant: serde lets unknown fields of these pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Codes are read in another known layout.
    Layout {
        /// The layout that is read.
        read: String,
        /// The layout of the format.
        declared: String,
        /// How many of the 256 slots of a block differ.
        displaced: usize,
    },
    /// Codes are read from other slots, in no known layout.
    Slots {
        /// How many of the 256 slots of a block differ.
        displaced: usize,
        /// The first of them.
        first: Vec<DisplacedSlot>,
    },
    /// Codes mean other values.
    Codebook {
        /// The values of the codes that can be stored, as they are multiplied.
        values: Vec<i64>,
        /// As the format declares them.
        declared: Vec<i64>,
    },
    /// Only code 3, which no quantizer writes, means another value.
    CodeThree {
        /// The value, as it is multiplied.
        value: i64,
        /// As the format declares it.
        declared: i64,
    },
    /// The last columns of a row are left out.
    ColumnsDropped {
        /// Columns are counted in runs of so many.
        run: usize,
        /// Whether the last run is dropped even if it is whole.
        last_run: bool,
        /// A row length that shows it.
        cols: usize,
        /// The first column left out there.
        from: usize,
    },
    /// Columns beyond the end of a row are multiplied.
    ReadPastEnd {
        /// A row length that shows it.
        cols: usize,
        /// The columns that are read there.
        read: usize,
    },
    /// Activation codes are taken for other numbers.
    ActivationCode {
        /// How many of the 256 codes.
        codes: usize,
        /// The first of them.
        first: i64,
        /// What it is taken for.
        taken_for: i64,
    },
    /// An integer accumulator is too narrow.
    AccumulatorWraps {
        /// Its bits: results are off by multiples of two to their power.
        bits: u32,
        /// The shortest row found that is off.
        cols: usize,
        /// By how much it is off.
        difference: i64,
    },
    /// The sum of the activations, which turns raw codes into values, is subtracted another number of times than once.
    ActivationSum {
        /// How many times.
        subtracted: i64,
    },
    /// The scale is applied with a constant factor.
    ScaleRatio {
        /// The factor, to six digits.
        ratio: f64,
    },
    /// The scale divides.
    ScaleInverted {},
    /// The scale is not applied.
    ScaleMissing {},
    /// The scale is read from another place.
    ScaleDisplaced {
        /// Bytes from where the scale is to where it is read.
        bytes: i64,
    },
    /// Activation rows (or blocks) that are all zero give results that are not finite.
    ZeroActivations {
        /// Such a result.
        result: String,
    },
    /// Activations that are not finite are multiplied without a word.
    NotFiniteAccepted {
        /// The activation.
        activation: String,
        /// What came of it.
        result: String,
    },
    /// Rows of the result stay zero.
    RowsZeroed {
        /// The first of them.
        first: usize,
        /// After how many rows the next one follows, if there is a next one.
        every: Option<usize>,
        /// Rows of the matrix in which it was seen.
        rows: usize,
    },
    /// The results of a batch stand in each other's place.
    BatchPermuted {
        /// For each activation row, the one whose results stand in its place.
        order: Vec<usize>,
    },
    /// The results of activation rows do not lie `rows` apart.
    BatchStride {
        /// How far apart they lie.
        stride: usize,
        /// Rows of the matrix in which it was seen.
        rows: usize,
        /// Its columns.
        cols: usize,
    },
    /// Results depend on the number of threads.
    Threads {
        /// The fewest threads whose results differ from those of one.
        threads: usize,
        /// How many results differ.
        differ: usize,
        /// Of how many.
        of: usize,
    },
    /// An operation of a model's graph: its inputs agree and its result does not.
    Operation {
        /// The operation, where the reference tells.
        op: Option<String>,
        /// The node, as the reference names it.
        node: String,
        /// How often this name came before in the same decode.
        occurrence: usize,
        /// The layer that the name tells.
        layer: Option<usize>,
        /// Least squares slope of the node over the reference's, to six digits.
        scale_ratio: Option<f64>,
    },
}

/// A weight whose code is read from another slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisplacedSlot {
    /// The weight, in its block of 256.
    pub weight: usize,
    /// Where it is read.
    pub read: String,
    /// Where the format has it.
    pub declared: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Layout {
                read,
                declared,
                displaced,
            } => write!(
                f,
                "layout permuted: {declared} is read as {read}, {displaced} of 256 slots differ"
            ),
            Fault::Slots { displaced, first } => {
                write!(f, "layout permuted: {displaced} of 256 slots differ")?;
                // One shows the way; the others are there for tools.
                for slot in first.iter().take(1) {
                    let DisplacedSlot {
                        weight,
                        read,
                        declared,
                    } = slot;
                    write!(f, "; weight {weight} is read at {read}, not {declared}")?;
                }
                Ok(())
            }
            Fault::Codebook { values, declared } => {
                let (values, declared) = (listed(values), listed(declared));
                write!(
                    f,
                    "codebook wrong: codes from 0 mean {values}, not {declared}"
                )
            }
            Fault::CodeThree { value, declared } => {
                write!(f, "code 3 means {value}, not {declared}")
            }
            Fault::ColumnsDropped {
                run,
                last_run,
                cols,
                from,
            } => {
                let what = if *last_run { "last block" } else { "tail" };
                write!(
                    f,
                    "{what} dropped: from column {from} on in a row of {cols}, blocks being {run}"
                )
            }
            Fault::ReadPastEnd { cols, read } => {
                write!(f, "read past the end: {read} columns in a row of {cols}")
            }
            Fault::ActivationCode {
                codes,
                first,
                taken_for,
            } => {
                write!(f, "activation {first} is taken for {taken_for}")?;
                match codes {
                    1 => Ok(()),
                    n => write!(f, ", and {} others for other numbers", n - 1),
                }
            }
            Fault::AccumulatorWraps {
                bits,
                cols,
                difference,
            } => write!(
                f,
                "accumulator of {bits} bits wraps: off by {difference} at {cols} columns"
            ),
            Fault::ActivationSum { subtracted: 0 } => write!(f, "activation sum not subtracted"),
            Fault::ActivationSum { subtracted } => {
                write!(f, "activation sum subtracted {subtracted} times")
            }
            Fault::ScaleRatio { ratio } => {
                write!(f, "scale wrong: {ratio} times what it should be")
            }
            Fault::ScaleInverted {} => write!(f, "scale inverted: divides instead of multiplying"),
            Fault::ScaleMissing {} => write!(f, "scale missing"),
            Fault::ScaleDisplaced { bytes } => {
                let (n, way) = (
                    bytes.unsigned_abs(),
                    if *bytes < 0 { "early" } else { "late" },
                );
                write!(f, "scale read {n} bytes {way}")
            }
            Fault::ZeroActivations { result } => {
                write!(f, "activations that are all zero give {result}")
            }
            Fault::NotFiniteAccepted { activation, result } => {
                write!(f, "activation {activation} accepted, which gives {result}")
            }
            Fault::RowsZeroed { first, every, rows } => match every {
                None => write!(f, "row {first} of {rows} stays zero"),
                Some(n) => write!(f, "rows {first}, {}, ... of {rows} stay zero", first + n),
            },
            Fault::BatchPermuted { order } => write!(
                f,
                "batch permuted: in place of activation rows from 0 stand {}",
                listed(order)
            ),
            Fault::BatchStride { stride, rows, cols } => {
                let name = if stride == cols { ", a row length" } else { "" };
                write!(f, "batch stride wrong: {stride}{name}, not {rows}")
            }
            Fault::Threads {
                threads,
                differ,
                of,
            } => write!(
                f,
                "depends on threads: {differ} of {of} results with {threads} are not those of 1"
            ),
            Fault::Operation {
                op,
                node,
                occurrence,
                layer,
                scale_ratio,
            } => {
                let op = op.as_deref().unwrap_or("an operation that is not told");
                write!(f, "{op} is wrong in node {node}")?;
                if *occurrence > 0 {
                    write!(f, " (occurrence {occurrence})")?;
                }
                if let Some(layer) = layer {
                    write!(f, ", layer {layer}")?;
                }
                match scale_ratio {
                    Some(ratio) => write!(f, ": {ratio} times the reference on the whole"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// A ratio in six significant digits, which is what products in f32 are sure of.
pub(crate) fn six_digits(ratio: f64) -> f64 {
    format!("{ratio:.5e}").parse().expect("a formatted number")
}

fn listed<T: ToString>(numbers: &[T]) -> String {
    let texts: Vec<String> = numbers.iter().map(T::to_string).collect();
    texts.join(", ")
}
