//! Oracles as implementations: builds of llama.cpp behind a C ABI.

use std::path::Path;

use cpp_shim::{Description, FormatInfo, Oracle, OracleError};
use qk256::format::{Format, Storage, StorageVariant, Weights};
use qk256::gguf::GgmlType;

use super::SessionImplementation;
use crate::implementation::{Implementation, ImplementationError};
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::model::Model;

/// Types whose tensors hold no weights. Oracles do not list them.
const NO_WEIGHTS: [GgmlType; 5] = [
    GgmlType::I8,
    GgmlType::I16,
    GgmlType::I32,
    GgmlType::I64,
    GgmlType::F64,
];

/// The types of a model's tensors that an oracle lacks, each with its number in the file, since forks use the same
/// numbers for other types.
pub fn missing_types(description: &Description, model: &Model) -> Vec<String> {
    let mut missing = Vec::new();
    for tensor in model.gguf().tensors() {
        let ggml_type = tensor.ggml_type();
        let Some(name) = ggml_type
            .name()
            .filter(|_| !NO_WEIGHTS.contains(&ggml_type))
        else {
            continue;
        };
        let info = description.format(cpp_shim::Format::named(name));
        if info.is_none_or(|info| info.file_type != ggml_type.0) {
            let text = format!("{name} (id {} in the file)", ggml_type.0);
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

    /// The oracle's information about a format, if it has the format.
    fn info(&self, format: &Format) -> Result<&FormatInfo, ImplementationError> {
        let description = self.oracle.description();
        description
            .format(cpp_shim::Format::named(format.type_name))
            .ok_or_else(|| self.undefined(format!("has no type {}", format.type_name)))
    }

    /// The oracle's identifier of a format, if it has the format.
    fn format(&self, format: &Format) -> Result<cpp_shim::Format, ImplementationError> {
        Ok(self.info(format)?.format)
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
        let multiple = self.info(storage.format())?.cols_multiple;
        if !matches!(
            storage.variant(),
            StorageVariant::Qk256 | StorageVariant::Blocks
        ) {
            return Err(self.undefined(format!("stores no tensor as {}", storage.variant())));
        }
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
