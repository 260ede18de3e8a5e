//! What every side can do: the one interface behind which oracles, kernels, the arbiter and planted mistakes stand.

use qk256::format::{QuantizeError, Storage, Weights, pack, quantize};
use thiserror::Error;

/// Why a side gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SideError {
    /// The operation is not defined there: unsupported, which is no fault of the side.
    #[error("{side}: {reason}")]
    Undefined {
        /// Id of the side.
        side: String,
        /// What it cannot do, and for which input.
        reason: String,
    },
    /// This machine cannot run the side, which is a skip in reports.
    #[error("{side}: {reason}")]
    Unavailable {
        /// Id of the side.
        side: String,
        /// What the machine lacks.
        reason: String,
    },
    /// The side failed at something that it says it can do.
    #[error("{side} failed at {operation}: {reason}")]
    Failed {
        /// Id of the side.
        side: String,
        /// The operation.
        operation: &'static str,
        /// What the side said.
        reason: String,
    },
}

impl SideError {
    /// Whether the side does not do this, or not on this machine: a skip, and no failure.
    pub const fn is_omission(&self) -> bool {
        !matches!(self, SideError::Failed { .. })
    }
}

/// One implementation of the ternary formats.
///
/// Results lie batch-major: `out[b * rows + r]`. All methods may be called from several threads.
pub trait Implementation: Send + Sync {
    /// Stable id, as reports and receipts show it.
    fn id(&self) -> &str;

    /// Whether the implementation promises right results for this storage, on this machine.
    ///
    /// # Errors
    ///
    /// [`SideError::Undefined`] or [`SideError::Unavailable`], with the reason.
    fn defined_on(&self, storage: &Storage) -> Result<(), SideError>;

    /// Exact integer dots, `sum(raw * a)` over unsigned codes, scales left out. `activations` is `batch x cols`.
    ///
    /// # Errors
    ///
    /// [`SideError`].
    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError>;

    /// f32 products, the activations quantized as the format wants them. `activations` is `batch x cols`.
    ///
    /// # Errors
    ///
    /// [`SideError`].
    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError>;

    /// The bytes of ternary weights of one magnitude, `rows x cols`, as this implementation writes them. Unless it has a
    /// quantizer of its own: as the format declares.
    ///
    /// # Errors
    ///
    /// [`SideError`].
    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, SideError> {
        match quantize(storage, values) {
            Err(QuantizeError::NoQuantizer { .. }) => pack_nearest(storage, values),
            result => result.map_err(|error| error.to_string()),
        }
        .map_err(|reason| SideError::Failed {
            side: self.id().into(),
            operation: "quantize",
            reason,
        })
    }
}

/// Formats without a quantizer: the nearest code of the codebook, scales 1.
fn pack_nearest(storage: &Storage, values: &[f32]) -> Result<Vec<u8>, String> {
    let codebook = storage.format().codebook;
    let distance = |code: u8, value: f32| (f32::from(codebook.value(code)) - value).abs();
    let nearest = |&value: &f32| {
        (0..4)
            .min_by(|&a, &b| distance(a, value).total_cmp(&distance(b, value)))
            .expect("four codes")
    };
    let codes: Vec<u8> = values.iter().map(nearest).collect();
    pack(storage, &codes, &vec![1.0; storage.scale_count()]).map_err(|error| error.to_string())
}
