//! What an oracle says about itself.

use std::ffi::{CStr, c_char};
use std::fmt;

use crate::ffi::{oracle_description, oracle_format};

/// How the weights of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// 2-bit codes, one f32 scale a tensor.
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

    /// The name that upstream and model files use.
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

/// A format as the oracle has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatInfo {
    /// Which one.
    pub format: Format,
    /// The oracle's name for it.
    pub name: String,
    /// Weights that are packed together.
    pub block: usize,
    /// The dot product of a row is defined for multiples of so many columns.
    pub cols_multiple: usize,
}

/// What the oracle is and how it was built, read from the shared object itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Such as `bitnet.cpp/strict`.
    pub id: String,
    /// The project that the source is from.
    pub upstream: String,
    /// Of the source; `local` and a commit for a checkout.
    pub version: String,
    /// sha256 of the source, hexadecimal.
    pub checksum: String,
    /// The compiler's own words.
    pub compiler: String,
    /// Of the files that hold the arithmetic.
    pub flags: Vec<String>,
    /// CPU features that must be there.
    pub instruction_set: Vec<String>,
    /// The formats it knows; those that this crate does not know are left out.
    pub formats: Vec<FormatInfo>,
}

impl Description {
    /// What the oracle says about `format`, if it knows it.
    pub fn format(&self, format: Format) -> Option<&FormatInfo> {
        self.formats.iter().find(|info| info.format == format)
    }

    /// # Safety
    ///
    /// The strings and the table of formats must be what `oracle.h` says of them: NUL-terminated,
    /// not NULL, and `n_formats` long.
    pub(crate) unsafe fn from_ffi(raw: &oracle_description) -> Self {
        // SAFETY: strings of the description, by this function's contract.
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
        }
    }
}

/// # Safety
///
/// `pointer` must point to a NUL-terminated string.
pub(crate) unsafe fn string(pointer: *const c_char) -> String {
    // SAFETY: NUL-terminated by this function's contract.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}
