//! What `dump-lut` finds, as data: the tables of oracles and formats side by side, and the tensors of a file.

use qk256::format::{Format, Layout};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::TernaryTensor;
use crate::probe::{Lut, ScaleSite};
use crate::verdict::Verdict;

/// What `dump-lut` prints as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LutDump {
    /// Path of the model.
    pub model: String,
    /// Each ternary format of the file.
    pub formats: Vec<FormatDump>,
    /// Verdict over all formats.
    pub verdict: Verdict,
}

/// A format: what the Rust side declares and what the oracles do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatDump {
    /// Tensor type.
    pub format: String,
    /// Declared layout.
    pub layout: String,
    /// Declared value of each code that can be stored.
    pub codebook: Vec<i8>,
    /// Declared byte offset of the scale in a block of 256 weights.
    pub scale_offset: Option<usize>,
    /// Where the scale is declared to be and how it is applied, in words.
    pub scale: String,
    /// What the first oracle does, if any has this format.
    pub oracle: Option<OracleLut>,
    /// What every oracle does.
    pub oracles: Vec<OracleLut>,
    /// Why an oracle was not probed.
    pub skipped: Vec<String>,
    /// Whether each of them does what is declared.
    pub verdict: Verdict,
    /// The tensors of this format.
    pub tensors: Vec<TensorDump>,
}

/// What an oracle was found to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleLut {
    /// Id.
    pub id: String,
    /// Value of each code that can be stored.
    pub codebook: Vec<i8>,
    /// The known layout whose slots it has, or `unknown`.
    pub layout: String,
    /// Byte offset of the scale in a block of 256 weights.
    pub scale_offset: Option<usize>,
    /// Where the scale is and how it is applied, in words.
    pub scale: String,
    /// How many of the 256 weights sit where they are declared to.
    pub slots_as_declared: usize,
    /// Whether codes, slots and scale are as declared.
    pub verdict: Verdict,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorDump {
    /// Name in the file.
    pub name: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// How it keeps padding and scales.
    pub flavour: String,
    /// Its scale, if all its blocks have the same.
    pub scale: Option<f32>,
    /// The smallest and the largest scale.
    pub scale_range: [f32; 2],
    /// Byte offset of the first scale in the tensor, if it is inside.
    pub scale_offset: Option<usize>,
    /// How often each code occurs.
    pub code_histogram: [u64; 4],
}

impl OracleLut {
    /// What was derived from an oracle, held against what `format` declares.
    pub fn new(id: &str, derived: &Lut, declared: &Lut, format: &Format) -> OracleLut {
        let slots = derived.slots.iter().zip(&declared.slots);
        OracleLut {
            id: id.into(),
            codebook: derived.codebook.clone(),
            layout: derived
                .layout(format)
                .map_or("unknown", Layout::name)
                .into(),
            scale_offset: scale_offset(derived),
            scale: derived.scale.to_string(),
            slots_as_declared: slots.filter(|(a, b)| a == b).count(),
            verdict: if derived == declared {
                Verdict::Exact
            } else {
                Verdict::Divergent
            },
        }
    }
}

/// The byte offset of a scale that is a factor.
pub fn scale_offset(lut: &Lut) -> Option<usize> {
    match lut.scale {
        ScaleSite::Multiplies { offset, .. } => Some(offset),
        ScaleSite::NoFactor { .. } | ScaleSite::None => None,
    }
}

impl TensorDump {
    /// Reads a tensor's scales and counts its codes.
    pub fn of(tensor: &TernaryTensor<'_>) -> TensorDump {
        let weights = &tensor.weights;
        let storage = weights.storage();
        // By total order, so that a NaN is shown and not lost.
        let min = |a: f32, b: f32| if b.total_cmp(&a).is_lt() { b } else { a };
        let max = |a: f32, b: f32| if b.total_cmp(&a).is_gt() { b } else { a };
        let scales = (0..storage.scale_count())
            .into_par_iter()
            .map(|i| weights.scale(i));
        let range = scales
            .map(|s| (s, s))
            .reduce_with(|a, b| (min(a.0, b.0), max(a.1, b.1)));
        let (low, high) = range.expect("a matrix has at least one scale");
        TensorDump {
            name: tensor.name.into(),
            rows: weights.rows(),
            cols: weights.cols(),
            flavour: storage.flavour().name().into(),
            scale: (low.to_bits() == high.to_bits()).then_some(low),
            scale_range: [low, high],
            scale_offset: storage.scale_offset(),
            code_histogram: weights.histogram(),
        }
    }
}
