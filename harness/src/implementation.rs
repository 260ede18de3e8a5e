//! The interface of all implementations of the formats: oracles, kernels, the reference model and mutants.

use qk256::format::{QuantizeError, Storage, Weights, pack, quantize};
use thiserror::Error;

/// Why an implementation returned no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImplementationError {
    /// The implementation does not define the operation for this input. Reported as `unsupported`, which is no fault.
    #[error("{implementation}: {reason}")]
    Undefined {
        /// Id of the implementation.
        implementation: String,
        /// The unsupported operation and input.
        reason: String,
    },
    /// This machine cannot run the implementation. Reported as `skipped`.
    #[error("{implementation}: {reason}")]
    Unavailable {
        /// Id of the implementation.
        implementation: String,
        /// The missing feature of the machine.
        reason: String,
    },
    /// The implementation failed on an input that it supports.
    #[error("{implementation} failed at {operation}: {reason}")]
    Failed {
        /// Id of the implementation.
        implementation: String,
        /// Name of the operation.
        operation: &'static str,
        /// The implementation's error.
        reason: String,
    },
}

impl ImplementationError {
    /// An error of an implementation in an operation that it supports.
    pub fn failed(
        implementation: impl Into<String>,
        operation: &'static str,
        reason: impl ToString,
    ) -> ImplementationError {
        ImplementationError::Failed {
            implementation: implementation.into(),
            operation,
            reason: reason.to_string(),
        }
    }

    /// Whether the input is unsupported or the machine cannot run the implementation. Neither is a failure.
    pub const fn is_omission(&self) -> bool {
        !matches!(self, ImplementationError::Failed { .. })
    }
}

/// An implementation of the ternary formats.
///
/// Results are batch-major: `out[b * rows + r]`. All methods may be called from several threads.
pub trait Implementation: Send + Sync {
    /// Stable id used in reports and receipts.
    fn id(&self) -> &str;

    /// Checks whether the implementation supports this storage on this machine.
    ///
    /// # Errors
    ///
    /// [`ImplementationError::Undefined`] or [`ImplementationError::Unavailable`], with the reason.
    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError>;

    /// Exact integer dots `sum(raw * a)` of unsigned codes, without scales. `activations` is `batch x cols`, row-major.
    ///
    /// # Errors
    ///
    /// [`ImplementationError`].
    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError>;

    /// f32 products, with activations quantized by the format's quantizer. `activations` is `batch x cols`, row-major.
    ///
    /// # Errors
    ///
    /// [`ImplementationError`].
    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError>;

    /// Quantizes weights whose values are -m, 0 and m, `rows x cols`, row-major, into the bytes of this implementation.
    /// By default, into those of the format.
    ///
    /// # Errors
    ///
    /// [`ImplementationError`].
    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        match quantize(storage, values) {
            Err(QuantizeError::NoQuantizer { .. }) => pack_nearest(storage, values),
            result => result.map_err(|error| error.to_string()),
        }
        .map_err(|reason| ImplementationError::failed(self.id(), "quantize", reason))
    }
}

/// Packs the nearest code of each value with scale 1, for formats without a quantizer.
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
