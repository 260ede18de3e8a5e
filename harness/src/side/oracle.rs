//! An oracle: a build of the reference behind the C ABI.

use std::path::Path;

use cpp_shim::{Oracle, OracleError};
use qk256::format::{Flavour, Format, Storage, Weights};

use super::SessionSide;
use crate::implementation::{Implementation, SideError};
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};

/// A loaded oracle. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct OracleSide {
    oracle: Oracle,
}

impl OracleSide {
    /// The side that `oracle` is.
    pub fn new(oracle: Oracle) -> OracleSide {
        OracleSide { oracle }
    }

    /// The oracle itself, with its description and sessions.
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
        Ok(Box::new(SessionSide::open(&self.oracle, path, params)?))
    }

    /// The oracle's name for a format, if it has one.
    fn format(&self, format: &Format) -> Result<cpp_shim::Format, SideError> {
        self.oracle
            .description()
            .formats
            .iter()
            .find(|info| info.name == format.type_name)
            .map(|info| info.format)
            .ok_or_else(|| self.undefined(format!("has no type {}", format.type_name)))
    }

    fn undefined(&self, reason: String) -> SideError {
        SideError::Undefined {
            side: self.oracle.id().into(),
            reason,
        }
    }

    fn failed(&self, operation: &'static str, error: &OracleError) -> SideError {
        SideError::Failed {
            side: self.oracle.id().into(),
            operation,
            reason: error.to_string(),
        }
    }
}

impl Engine for OracleSide {
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

impl Implementation for OracleSide {
    fn id(&self) -> &str {
        self.oracle.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        let format = self.format(storage.format())?;
        if !matches!(storage.flavour(), Flavour::Qk256 | Flavour::Blocks) {
            return Err(self.undefined(format!("stores no tensor as {}", storage.flavour())));
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
    ) -> Result<(), SideError> {
        let storage = weights.storage();
        let format = self.format(storage.format())?;
        // The oracle's rows follow each other, whatever panels the layout under test has.
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
    ) -> Result<(), SideError> {
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

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, SideError> {
        let format = self.format(storage.format())?;
        self.oracle
            .quantize(format, storage.rows(), storage.cols(), values)
            .map_err(|error| self.failed("quantize", &error))
    }
}
