//! The cause of wrong results, as far as the evidence shows it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault that explains wrong results, with the number of examined results that it explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Id of the implementation that has the fault.
    pub implementation: String,
    /// The fault.
    pub fault: Fault,
    /// Where the fault occurs, if not everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_in: Option<Extent>,
    /// Number of wrong results that the fault predicts exactly.
    pub explained: u64,
    /// Number of wrong results examined, including those of the finding.
    pub wrong: u64,
}

impl Cause {
    /// Whether the fault explains all wrong results.
    pub fn is_whole(&self) -> bool {
        self.explained == self.wrong
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cause {
            implementation,
            fault,
            only_in,
            explained,
            wrong,
        } = self;
        write!(f, "{fault} (in {implementation}")?;
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

/// The inputs that take the code path with the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// `dots` or `products`, if only one of them has the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The smallest batch with the fault, if smaller ones were tried without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_batch: Option<usize>,
    /// The largest batch with the fault, if larger ones were tried without it.
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

/// The faults that an implementation can have. There is no unit variant, because serde accepts unknown fields in those.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Codes are read in another known layout.
    Layout {
        /// Layout in which the codes are read.
        read: String,
        /// Layout of the format.
        declared: String,
        /// Number of slots that differ, of the 256 of a block.
        displaced: usize,
    },
    /// Codes are read from wrong slots that match no known layout.
    Slots {
        /// Number of slots that differ, of the 256 of a block.
        displaced: usize,
        /// The first slots that differ.
        first: Vec<DisplacedSlot>,
    },
    /// Codes are decoded to other values.
    Codebook {
        /// Values of the storable codes, as they are multiplied.
        values: Vec<i64>,
        /// Values that the format declares.
        declared: Vec<i64>,
    },
    /// Only code 3, which no quantizer writes, is decoded to another value.
    CodeThree {
        /// Value of the code, as it is multiplied.
        value: i64,
        /// Value that the format declares.
        declared: i64,
    },
    /// The last columns of a row are not multiplied.
    ColumnsDropped {
        /// Number of columns in a block.
        run: usize,
        /// Whether the last block is dropped even if it is whole.
        last_run: bool,
        /// A row length that shows the fault.
        cols: usize,
        /// The first dropped column at this row length.
        from: usize,
    },
    /// Columns beyond the end of a row are multiplied.
    ReadPastEnd {
        /// A row length that shows the fault.
        cols: usize,
        /// Number of columns read at this row length.
        read: usize,
    },
    /// Activation codes are decoded to other numbers.
    ActivationCode {
        /// Number of wrong codes, of 256.
        codes: usize,
        /// The first wrong code.
        first: i64,
        /// The number that it is decoded to.
        taken_for: i64,
    },
    /// An integer accumulator is too narrow.
    AccumulatorWraps {
        /// Width in bits. Results are off by multiples of `2^bits`.
        bits: u32,
        /// Columns of the shortest row found that is off.
        cols: usize,
        /// Difference to the right result.
        difference: i64,
    },
    /// The sum of the activations, which corrects for unsigned codes, is not subtracted exactly once.
    ActivationSum {
        /// How many times it is subtracted.
        subtracted: i64,
    },
    /// The applied scale is off by a constant factor.
    ScaleRatio {
        /// The factor, in six significant digits.
        ratio: f64,
    },
    /// The result is divided by the scale.
    ScaleInverted {},
    /// The scale is not applied.
    ScaleMissing {},
    /// The scale is read from another place.
    ScaleDisplaced {
        /// Bytes from where the scale is to where it is read.
        bytes: i64,
    },
    /// Activation rows (or blocks) of zeros give results that are not finite.
    ZeroActivations {
        /// A result that is not finite.
        result: String,
    },
    /// Activations that are not finite are accepted without an error.
    NotFiniteAccepted {
        /// The activation.
        activation: String,
        /// The result.
        result: String,
    },
    /// Rows of the result stay zero.
    RowsZeroed {
        /// The first zero row.
        first: usize,
        /// Distance in rows to the next zero row, if there is one.
        every: Option<usize>,
        /// Rows of the matrix that shows the fault.
        rows: usize,
    },
    /// The results of a batch are permuted.
    BatchPermuted {
        /// For each activation row, the row whose results are stored in its place.
        order: Vec<usize>,
    },
    /// The results of consecutive activation rows are not `rows` values apart.
    BatchStride {
        /// Their distance in values.
        stride: usize,
        /// Rows of the matrix that shows the fault.
        rows: usize,
        /// Columns of the matrix.
        cols: usize,
    },
    /// Results depend on the number of threads.
    Threads {
        /// Smallest number of threads whose results differ from those of one thread.
        threads: usize,
        /// Number of results that differ.
        differ: usize,
        /// Number of results compared.
        of: usize,
    },
    /// An operation of a model's graph is wrong: its inputs agree and its result does not.
    Operation {
        /// The operation, if the oracle reports it.
        op: Option<String>,
        /// Name of the node in the oracle.
        node: String,
        /// Occurrence of this name in the same decode, from 0.
        occurrence: usize,
        /// Layer number in the name, from 0.
        layer: Option<usize>,
        /// Least squares slope of the candidate's node over the oracle's, in six significant digits.
        scale_ratio: Option<f64>,
    },
}

/// A weight whose code is read from a wrong slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisplacedSlot {
    /// Index of the weight in its block of 256.
    pub weight: usize,
    /// The slot that is read.
    pub read: String,
    /// The slot that the format declares.
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
                // One slot is enough for a person; receipts hold the others.
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
                let op = op.as_deref().unwrap_or("an unknown operation");
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

/// Rounds a ratio to six significant digits, the precision of f32 products.
pub(crate) fn six_digits(ratio: f64) -> f64 {
    format!("{ratio:.5e}").parse().expect("a formatted number")
}

fn listed<T: ToString>(numbers: &[T]) -> String {
    let texts: Vec<String> = numbers.iter().map(T::to_string).collect();
    texts.join(", ")
}
