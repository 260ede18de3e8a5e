//! What can go wrong with an oracle.

use std::fmt;

use crate::ffi::oracle_status;

/// An oracle that could not be loaded, or a call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// The CPU lacks an instruction set that the oracle was compiled for.
    #[error("oracle {oracle} {unavailable}")]
    Unavailable {
        /// Id of the build.
        oracle: String,
        /// What is missing.
        unavailable: Unavailable,
    },

    /// The embedded shared object could not be loaded.
    #[error("oracle {oracle} does not load: {reason}")]
    Load {
        /// Id of the build.
        oracle: String,
        /// What the system said.
        reason: String,
    },

    /// The shared object does not speak this crate's version of the ABI, or is not the one that was
    /// embedded.
    #[error("oracle {oracle} is not what its build says: {reason}; build again from clean sources")]
    Mismatch {
        /// Id of the build.
        oracle: String,
        /// What differs.
        reason: String,
    },

    /// A known-answer check failed: nothing that this oracle says can be relied on.
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
        /// The integers or floats worked out by hand.
        expected: String,
        /// What came out, or why nothing did.
        got: String,
    },

    /// The oracle refused a call, or it failed.
    #[error("oracle {oracle}: {operation}: {message} ({status})")]
    Refused {
        /// Id of the build.
        oracle: String,
        /// The function of the ABI.
        operation: &'static str,
        /// The class of the error.
        status: Status,
        /// One line, in the oracle's words.
        message: String,
    },
}

impl OracleError {
    /// The status that the oracle returned, if it was asked at all.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Why a call did not succeed, as in `include/oracle.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A length, shape or value that the operation cannot take.
    BadArgument,
    /// A sound request that this oracle has no code for.
    Unsupported,
    /// The kernel returned without writing a result.
    NoAnswer,
    /// Memory ran out.
    OutOfMemory,
    /// A model file that cannot be opened, or that is no model.
    File,
    /// The implementation itself reported an error.
    Failed,
    /// The callback asked to stop.
    Stopped,
    /// A status that the ABI does not have.
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
    /// Their names, at least one.
    pub missing: Vec<&'static str>,
}
