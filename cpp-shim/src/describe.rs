//! The description of an oracle.

use std::ffi::{CStr, c_char};
use std::fmt;

use crate::ffi::{oracle_description, oracle_format};

/// How the weights of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// 2-bit codes, one f32 scale per tensor.
    I2S,
    /// 2-bit codes, one f16 scale per 256 weights.
    Tq2_0,
    /// Base-3 digits, one f16 scale per 256 weights.
    Tq1_0,
    /// IEEE half precision.
    F16,
    /// IEEE single precision.
    F32,
    /// 6-bit codes with 16 scales and one f16 scale per 256 weights.
    Q6K,
}

impl Format {
    /// Every format of the ABI.
    pub const ALL: [Self; 6] = [
        Self::I2S,
        Self::Tq2_0,
        Self::Tq1_0,
        Self::F16,
        Self::F32,
        Self::Q6K,
    ];

    /// The format with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The name in upstream and in model files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I2S => "i2_s",
            Self::Tq2_0 => "tq2_0",
            Self::Tq1_0 => "tq1_0",
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::Q6K => "q6_K",
        }
    }

    pub(crate) const fn to_ffi(self) -> oracle_format {
        match self {
            Self::I2S => oracle_format::ORACLE_I2_S,
            Self::Tq2_0 => oracle_format::ORACLE_TQ2_0,
            Self::Tq1_0 => oracle_format::ORACLE_TQ1_0,
            Self::F16 => oracle_format::ORACLE_F16,
            Self::F32 => oracle_format::ORACLE_F32,
            Self::Q6K => oracle_format::ORACLE_Q6_K,
        }
    }

    fn from_ffi(format: oracle_format) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.to_ffi() == format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A format that the oracle supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatInfo {
    /// The format.
    pub format: Format,
    /// The oracle's name of the format.
    pub name: String,
    /// Number of weights that are packed together.
    pub block: usize,
    /// The dot product of a row is defined for multiples of this number of columns.
    pub cols_multiple: usize,
}

/// The identity of the oracle and its build, read from the shared object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Id of the build, such as `bitnet.cpp/strict`.
    pub id: String,
    /// The project of the source.
    pub upstream: String,
    /// Version of the source: of the package, or the commit of a checkout.
    pub version: String,
    /// sha256 of the source, hexadecimal.
    pub checksum: String,
    /// Version of the compilers, as they print it.
    pub compiler: String,
    /// Compiler flags of the files with arithmetic.
    pub flags: Vec<String>,
    /// Required CPU features.
    pub instruction_set: Vec<String>,
    /// Supported formats, without those that this crate does not know and those that are refused.
    pub formats: Vec<FormatInfo>,
    /// Formats that the oracle claims but computes wrong. Empty for embedded builds.
    pub refused: Vec<Refusal>,
}

/// A format that an oracle claims but computes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The format.
    pub format: Format,
    /// The failed check.
    pub reason: String,
}

impl Description {
    /// The oracle's information about `format`, if it supports it.
    pub fn format(&self, format: Format) -> Option<&FormatInfo> {
        self.formats.iter().find(|info| info.format == format)
    }

    /// Moves a format from the supported to the refused ones.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.formats.retain(|info| info.format != refusal.format);
        self.refused.push(refusal);
    }

    /// # Safety
    ///
    /// As in `oracle.h`, the strings must be NUL-terminated and not NULL, and the table of formats must have
    /// `n_formats` entries.
    pub(crate) unsafe fn from_ffi(raw: &oracle_description) -> Self {
        // SAFETY: the pointers are strings of the description, by this function's contract.
        let text = |pointer| unsafe { string(pointer) };
        let words = |pointer| {
            text(pointer)
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        };
        let formats = if raw.n_formats == 0 {
            &[]
        } else {
            // SAFETY: `formats` points to `n_formats` entries, by this function's contract.
            unsafe { std::slice::from_raw_parts(raw.formats, raw.n_formats) }
        };
        Self {
            id: text(raw.id),
            upstream: text(raw.upstream),
            version: text(raw.version),
            checksum: text(raw.checksum),
            compiler: text(raw.compiler),
            flags: words(raw.flags),
            instruction_set: words(raw.instruction_set),
            formats: formats
                .iter()
                .filter_map(|info| {
                    Some(FormatInfo {
                        format: Format::from_ffi(info.format)?,
                        name: text(info.name),
                        block: info.block as usize,
                        cols_multiple: info.cols_multiple as usize,
                    })
                })
                .collect(),
            refused: Vec::new(),
        }
    }
}

/// # Safety
///
/// `pointer` must point to a NUL-terminated string.
pub(crate) unsafe fn string(pointer: *const c_char) -> String {
    // SAFETY: the string is NUL-terminated, by this function's contract.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}
