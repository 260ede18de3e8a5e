//! The function table of an oracle, with one method per function. Lengths are those of slices, and messages are
//! converted to errors.

use crate::describe::Description;
use crate::error::{OracleError, Status};
use crate::ffi::{ORACLE_ABI_VERSION, oracle_api, oracle_message, oracle_status};

/// Size of the message buffer in bytes. The oracle truncates longer messages.
const MESSAGE_BYTES: usize = 512;

/// A table whose version and size have been checked.
pub(crate) struct Table {
    api: &'static oracle_api,
    /// Id of the oracle, for error messages.
    oracle: String,
}

/// A function of the table, or an error if the oracle does not provide it.
macro_rules! function {
    ($table:expr, $name:ident) => {
        $table.api.$name.ok_or_else(|| {
            $table.refused(
                stringify!($name),
                $crate::error::Status::Unsupported,
                "the oracle has no such function".into(),
            )
        })?
    };
}

// After the macro, which it uses.
mod sessions;

impl Table {
    /// # Safety
    ///
    /// The functions of `api` must follow `oracle.h`, or be absent.
    pub(crate) unsafe fn new(oracle: &str, api: &'static oracle_api) -> Result<Self, OracleError> {
        let mismatch = |reason| {
            Err(OracleError::Mismatch {
                oracle: oracle.to_owned(),
                reason,
            })
        };
        if api.abi_version != ORACLE_ABI_VERSION {
            let found = api.abi_version;
            return mismatch(format!("ABI version {found}, must be {ORACLE_ABI_VERSION}"));
        }
        if (api.struct_bytes as usize) < size_of::<oracle_api>() {
            let (found, needed) = (api.struct_bytes, size_of::<oracle_api>());
            return mismatch(format!(
                "a function table of {found} bytes, must be {needed}"
            ));
        }
        Ok(Self {
            api,
            oracle: oracle.to_owned(),
        })
    }

    pub(crate) fn oracle(&self) -> &str {
        &self.oracle
    }

    pub(crate) fn refused(
        &self,
        operation: &'static str,
        status: Status,
        message: String,
    ) -> OracleError {
        OracleError::Refused {
            oracle: self.oracle.clone(),
            operation,
            status,
            message,
        }
    }

    /// Calls `function` with a buffer for its message, and converts its status to a result.
    fn call(
        &self,
        operation: &'static str,
        function: impl FnOnce(*mut oracle_message) -> oracle_status,
    ) -> Result<(), OracleError> {
        let mut text = [0u8; MESSAGE_BYTES];
        let mut message = oracle_message {
            text: text.as_mut_ptr().cast(),
            capacity: text.len(),
            length: 0,
        };
        Status::from_ffi(function(&raw mut message)).map_err(|status| {
            let written = &text[..message.length.min(text.len())];
            self.refused(
                operation,
                status,
                String::from_utf8_lossy(written).into_owned(),
            )
        })
    }

    pub(crate) fn describe(&self) -> Result<Description, OracleError> {
        let describe = function!(self, describe);
        let mut description = std::ptr::null();
        // SAFETY: the location for the pointer is valid during the call.
        self.call("describe", |message| unsafe {
            describe(&raw mut description, message)
        })?;
        // SAFETY: the call succeeded, so `description` points to a valid static structure, by the header.
        Ok(unsafe { Description::from_ffi(&*description) })
    }

    pub(crate) fn tensor_bytes(
        &self,
        format: u32,
        rows: usize,
        cols: usize,
    ) -> Result<usize, OracleError> {
        let tensor_bytes = function!(self, tensor_bytes);
        let mut bytes = 0;
        // SAFETY: the location for the result is valid during the call.
        self.call("tensor_bytes", |message| unsafe {
            tensor_bytes(format, rows as u64, cols as u64, &raw mut bytes, message)
        })?;
        Ok(bytes)
    }

    /// Returns the number of bytes written.
    pub(crate) fn quantize(
        &self,
        format: u32,
        rows: usize,
        cols: usize,
        values: &[f32],
        importance: Option<&[f32]>,
        out: &mut [u8],
    ) -> Result<usize, OracleError> {
        let quantize = function!(self, quantize);
        let mut written = 0;
        let n_importance = importance.map_or(0, <[f32]>::len);
        let importance = importance.map_or(std::ptr::null(), <[f32]>::as_ptr);
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape; importances may be NULL.
        self.call("quantize", |message| unsafe {
            quantize(
                format,
                rows as u64,
                cols as u64,
                values.as_ptr(),
                values.len(),
                importance,
                n_importance,
                out.as_mut_ptr(),
                out.len(),
                &raw mut written,
                message,
            )
        })?;
        Ok(written)
    }

    pub(crate) fn dequantize(
        &self,
        format: u32,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        let dequantize = function!(self, dequantize);
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape.
        self.call("dequantize", |message| unsafe {
            dequantize(
                format,
                cols as u64,
                rows as u64,
                weights.as_ptr(),
                weights.len(),
                row_stride,
                out.as_mut_ptr(),
                out.len(),
                message,
            )
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the function's own parameters")]
    pub(crate) fn quantize_activations(
        &self,
        format: u32,
        rows: usize,
        cols: usize,
        values: &[f32],
        codes: &mut [i8],
        scales: &mut [f32],
        sums: &mut [i32],
    ) -> Result<(), OracleError> {
        let quantize_activations = function!(self, quantize_activations);
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape.
        self.call("quantize_activations", |message| unsafe {
            quantize_activations(
                format,
                rows as u64,
                cols as u64,
                values.as_ptr(),
                values.len(),
                codes.as_mut_ptr(),
                codes.len(),
                scales.as_mut_ptr(),
                scales.len(),
                sums.as_mut_ptr(),
                sums.len(),
                message,
            )
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the function's own parameters")]
    pub(crate) fn code_dot(
        &self,
        format: u32,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), OracleError> {
        let code_dot = function!(self, code_dot);
        let batch = self.batch("code_dot", cols, activations.len())?;
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape.
        self.call("code_dot", |message| unsafe {
            code_dot(
                format,
                cols as u64,
                rows as u64,
                weights.as_ptr(),
                weights.len(),
                row_stride,
                activations.as_ptr(),
                activations.len(),
                batch,
                out.as_mut_ptr(),
                out.len(),
                message,
            )
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the function's own parameters")]
    pub(crate) fn block_dot(
        &self,
        format: u32,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        codes: &[i8],
        scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        let block_dot = function!(self, block_dot);
        let batch = self.batch("block_dot", cols, codes.len())?;
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape.
        self.call("block_dot", |message| unsafe {
            block_dot(
                format,
                cols as u64,
                rows as u64,
                weights.as_ptr(),
                weights.len(),
                row_stride,
                codes.as_ptr(),
                codes.len(),
                scales.as_ptr(),
                scales.len(),
                batch,
                out.as_mut_ptr(),
                out.len(),
                message,
            )
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the function's own parameters")]
    pub(crate) fn matmul(
        &self,
        format: u32,
        rows: usize,
        cols: usize,
        weights: &[u8],
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        let matmul = function!(self, matmul);
        let batch = self.batch("matmul", cols, activations.len())?;
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        // SAFETY: pointers and lengths are those of live slices, which the function checks against
        // the shape.
        self.call("matmul", |message| unsafe {
            matmul(
                format,
                rows as u64,
                cols as u64,
                weights.as_ptr(),
                weights.len(),
                activations.as_ptr(),
                activations.len(),
                batch,
                threads,
                out.as_mut_ptr(),
                out.len(),
                message,
            )
        })
    }

    /// The number of rows of `cols` activations; an error if the last row is incomplete.
    fn batch(
        &self,
        operation: &'static str,
        cols: usize,
        activations: usize,
    ) -> Result<u64, OracleError> {
        match activations.checked_rem(cols) {
            Some(0) => Ok((activations / cols) as u64),
            _ => Err(self.refused(
                operation,
                Status::BadArgument,
                format!("{activations} activations are no whole number of rows of {cols}"),
            )),
        }
    }
}
