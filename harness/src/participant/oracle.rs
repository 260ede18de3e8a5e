//! Oracles as implementations: builds of llama.cpp behind a C ABI.

use std::path::Path;

use cpp_shim::{Description, Oracle, OracleError};
use qk256::format::{Format, Storage, StorageVariant, Weights};

use super::SessionImplementation;
use crate::implementation::{Implementation, ImplementationError};
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::model::Model;

/// The types of a model's tensors that an oracle lacks, each with its number in the file, since forks use the same
/// numbers for other types.
pub fn missing_types(description: &Description, model: &Model) -> Vec<String> {
    let mut missing = Vec::new();
    for tensor in model.gguf().tensors() {
        let (number, name) = (tensor.ggml_type().0, tensor.ggml_type().to_string());
        let mut known = cpp_shim::Format::ALL.into_iter();
        let format = known.find(|format| format.name().eq_ignore_ascii_case(&name));
        if let Some(format) = format.filter(|&format| description.format(format).is_none()) {
            let text = format!("{} (id {number} in the file)", format.name());
            if !missing.contains(&text) {
                missing.push(text);
            }
        }
    }
    missing
}

/// A loaded oracle. Clones refer to the same oracle.
#[derive(Debug, Clone)]
pub struct OracleImplementation {
    oracle: Oracle,
}

impl OracleImplementation {
    /// Wraps an oracle.
    pub fn new(oracle: Oracle) -> OracleImplementation {
        OracleImplementation { oracle }
    }

    /// The wrapped oracle.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// Opens a model for decoding.
    ///
    /// # Errors
    ///
    /// [`InferenceError`].
    pub fn open_inference(
        &self,
        path: &Path,
        params: &InferenceParams,
    ) -> Result<Box<dyn Inference>, InferenceError> {
        Ok(Box::new(SessionImplementation::open(
            &self.oracle,
            path,
            params,
        )?))
    }

    /// The oracle's identifier of a format, if it has the format.
    fn format(&self, format: &Format) -> Result<cpp_shim::Format, ImplementationError> {
        self.oracle
            .description()
            .formats
            .iter()
            .find(|info| info.name == format.type_name)
            .map(|info| info.format)
            .ok_or_else(|| self.undefined(format!("has no type {}", format.type_name)))
    }

    fn undefined(&self, reason: String) -> ImplementationError {
        ImplementationError::Undefined {
            implementation: self.oracle.id().into(),
            reason,
        }
    }

    fn failed(&self, operation: &'static str, error: &OracleError) -> ImplementationError {
        ImplementationError::failed(self.oracle.id(), operation, error)
    }
}

impl Engine for OracleImplementation {
    fn id(&self) -> &str {
        self.oracle.id()
    }

    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        work(self.open_inference(path, params)?.as_mut());
        Ok(())
    }
}

impl Implementation for OracleImplementation {
    fn id(&self) -> &str {
        self.oracle.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        let format = self.format(storage.format())?;
        if !matches!(
            storage.variant(),
            StorageVariant::Qk256 | StorageVariant::Blocks
        ) {
            return Err(self.undefined(format!("stores no tensor as {}", storage.variant())));
        }
        let info = self
            .oracle
            .description()
            .formats
            .iter()
            .find(|info| info.format == format);
        let multiple = info.map_or(1, |info| info.cols_multiple);
        if !storage.cols().is_multiple_of(multiple) {
            return Err(self.undefined(format!(
                "{} rows of {} columns: defined on multiples of {multiple}",
                storage.format().type_name,
                storage.cols()
            )));
        }
        Ok(())
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
        let storage = weights.storage();
        let format = self.format(storage.format())?;
        // The oracle's rows are consecutive, independent of the panels of the layout under test.
        let stride = storage.panel_stride() / storage.layout().panel_rows();
        self.oracle
            .code_dots(
                format,
                storage.cols(),
                weights.bytes(),
                storage.rows(),
                stride,
                activations,
                out,
            )
            .map_err(|error| self.failed("code_dots", &error))
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError> {
        let format = self.format(weights.format())?;
        let (rows, cols) = (weights.rows(), weights.cols());
        self.oracle
            .matmul(
                format,
                rows,
                cols,
                weights.bytes(),
                activations,
                threads,
                out,
            )
            .map_err(|error| self.failed("matmul", &error))
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        let format = self.format(storage.format())?;
        self.oracle
            .quantize(format, storage.rows(), storage.cols(), values)
            .map_err(|error| self.failed("quantize", &error))
    }
}
