//! Errors of oracles.

use std::fmt;

use crate::ffi::oracle_status;

/// Why an oracle could not be loaded, or why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// The CPU lacks an instruction set that the oracle was compiled for.
    #[error("oracle {oracle} {unavailable}")]
    Unavailable {
        /// Id of the build.
        oracle: String,
        /// The missing features.
        unavailable: Unavailable,
    },

    /// The embedded shared object could not be loaded.
    #[error("oracle {oracle} does not load: {reason}")]
    Load {
        /// Id of the build.
        oracle: String,
        /// The error of the operating system.
        reason: String,
    },

    /// The shared object has another version of the ABI, or its description does not match the build.
    #[error("oracle {oracle} does not match its build: {reason}; build again from clean sources")]
    Mismatch {
        /// Id of the build.
        oracle: String,
        /// The difference.
        reason: String,
    },

    /// A known-answer check failed, so no result of this oracle with the format is reliable.
    #[error(
        "oracle {oracle} fails its known-answer check: {operation} gave {got}, must be {expected}; \
         its kernels may have been compiled without an instruction set they need, or miscompiled: \
         check the flags in vendor/oracles.toml and the compiler"
    )]
    WrongAnswer {
        /// Id of the build.
        oracle: String,
        /// Operation, format and input.
        operation: String,
        /// The integers or floats computed by hand.
        expected: String,
        /// The result, or the error.
        got: String,
    },

    /// The oracle rejected a call, or the call failed.
    #[error("oracle {oracle}: {operation}: {message} ({status})")]
    Refused {
        /// Id of the build.
        oracle: String,
        /// The function of the ABI.
        operation: &'static str,
        /// The class of the error.
        status: Status,
        /// The oracle's message, one line.
        message: String,
    },
}

impl OracleError {
    /// The status that the oracle returned, if it was called.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Why a call failed, as in `include/oracle.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The operation does not accept a length, shape or value.
    BadArgument,
    /// The request is valid, but the oracle does not implement it.
    Unsupported,
    /// The kernel returned without writing a result.
    NoAnswer,
    /// Memory is exhausted.
    OutOfMemory,
    /// A model file cannot be opened or is not a model.
    File,
    /// The implementation reported an error.
    Failed,
    /// The callback stopped the operation.
    Stopped,
    /// A status that is not part of the ABI.
    Unknown,
}

impl Status {
    pub(crate) fn from_ffi(status: oracle_status) -> Result<(), Self> {
        Err(match status {
            oracle_status::ORACLE_OK => return Ok(()),
            oracle_status::ORACLE_BAD_ARGUMENT => Self::BadArgument,
            oracle_status::ORACLE_UNSUPPORTED => Self::Unsupported,
            oracle_status::ORACLE_NO_ANSWER => Self::NoAnswer,
            oracle_status::ORACLE_OUT_OF_MEMORY => Self::OutOfMemory,
            oracle_status::ORACLE_FILE => Self::File,
            oracle_status::ORACLE_FAILED => Self::Failed,
            oracle_status::ORACLE_STOPPED => Self::Stopped,
            _ => Self::Unknown,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadArgument => "bad argument",
            Self::Unsupported => "unsupported",
            Self::NoAnswer => "no answer",
            Self::OutOfMemory => "out of memory",
            Self::File => "file",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown status",
        })
    }
}
/// CPU features that a build needs and this CPU lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs {}, which this CPU lacks", missing.join(", "))]
pub struct Unavailable {
    /// Names of the features, at least one.
    pub missing: Vec<&'static str>,
}
