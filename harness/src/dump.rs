//! Results of `dump-lut`: the declared and derived tables of each format, and the tensors of a file.

use qk256::format::{Format, Layout};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::TernaryTensor;
use crate::outcome::Omission;
use crate::probe::Lut;
use crate::verdict::Verdict;

/// The JSON output of `dump-lut`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LutDump {
    /// Path of the model.
    pub model: String,
    /// The ternary formats in the file.
    pub formats: Vec<FormatDump>,
    /// Verdict of all formats.
    pub verdict: Verdict,
}

/// A format: the declared table and the tables derived from the oracles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatDump {
    /// Tensor type.
    pub format: String,
    /// Declared layout.
    pub layout: String,
    /// The declared table.
    pub declared: Lut,
    /// Tables of all oracles.
    pub oracles: Vec<OracleDump>,
    /// Oracles that were not probed.
    pub omitted: Vec<Omission>,
    /// Whether every derived table equals the declared one.
    pub verdict: Verdict,
    /// The tensors of this format.
    pub tensors: Vec<TensorDump>,
}

/// The table derived from an oracle, compared with the declared one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleDump {
    /// Id of the oracle.
    pub id: String,
    /// Name of the known layout with these slots, if there is one.
    pub layout: Option<String>,
    /// Number of weights, of 256, in their declared slots.
    pub slots_as_declared: usize,
    /// Whether codes, slots and scale are as declared.
    pub verdict: Verdict,
    /// The derived table.
    pub derived: Lut,
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
    /// Storage variant: how padding and scales are stored.
    pub variant: String,
    /// The scale, if all blocks have the same one.
    pub scale: Option<f32>,
    /// The smallest and the largest scale.
    pub scale_range: [f32; 2],
    /// Offset of the first scale in the tensor's bytes, if it is stored there.
    pub scale_offset: Option<usize>,
    /// Number of occurrences of each code.
    pub code_histogram: [u64; 4],
}

impl OracleDump {
    /// Compares the table derived from an oracle with the declared table of `format`.
    pub fn new(id: &str, derived: &Lut, declared: &Lut, format: &Format) -> OracleDump {
        let layout = derived.layout(format).map(Layout::name);
        OracleDump {
            id: id.into(),
            layout: layout.map(String::from),
            slots_as_declared: derived.slots_as(declared),
            verdict: if derived == declared {
                Verdict::Exact
            } else {
                Verdict::Divergent
            },
            derived: derived.clone(),
        }
    }
}

impl TensorDump {
    /// Reads a tensor's scales and counts its codes.
    pub fn of(tensor: &TernaryTensor<'_>) -> TensorDump {
        let weights = &tensor.weights;
        let storage = weights.storage();
        // `total_cmp` keeps a NaN, which `f32::min` drops.
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
            variant: storage.variant().name().into(),
            scale: (low.to_bits() == high.to_bits()).then_some(low),
            scale_range: [low, high],
            scale_offset: storage.scale_offset(),
            code_histogram: weights.histogram(),
        }
    }
}
