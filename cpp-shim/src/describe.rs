//! The description of an oracle.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::ffi::oracle_description;

/// How the weights of a tensor are stored: a type of ggml, identified by its name. Names differ between libraries and
/// files in case only (`q4_K`, `Q4_K`), so formats are equal if their names are, ignoring ASCII case.
#[derive(Clone, Copy, Debug)]
pub struct Format(&'static str);

impl Format {
    /// 2-bit codes, one f32 scale per tensor.
    pub const I2S: Self = Self("i2_s");
    /// 2-bit codes, one f16 scale per 256 weights.
    pub const TQ2_0: Self = Self("tq2_0");
    /// Base-3 digits, one f16 scale per 256 weights.
    pub const TQ1_0: Self = Self("tq1_0");
    /// IEEE half precision.
    pub const F16: Self = Self("f16");
    /// IEEE single precision.
    pub const F32: Self = Self("f32");
    /// The upper half of IEEE single precision.
    pub const BF16: Self = Self("bf16");
    /// 6-bit codes with 16 scales and one f16 scale per 256 weights.
    pub const Q6_K: Self = Self("q6_K");

    /// The format with this name. Each distinct name is kept until the end of the process.
    pub fn named(name: &str) -> Self {
        static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
        // A panic cannot leave the list incomplete.
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.iter().find(|known| **known == name) {
            return Self(known);
        }
        let name = String::from(name).leak();
        names.push(name);
        Self(name)
    }

    /// The name, with the case of its source.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Format {}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How the known answers of a format are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// With hand-made blocks, whenever the oracle is loaded.
    Sample,
    /// The library's matmul agrees with the values of its own quantizer and conversion. Such a type has no hand-made
    /// blocks, and [`Build::check`](crate::Build::check) checks it when the oracle is added.
    RoundTrip,
    /// Not at all: there are no hand-made blocks, and the library has no quantizer or no conversion to floats.
    None,
}

impl Check {
    /// The name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::RoundTrip => "round trip",
            Self::None => "none",
        }
    }
}

/// A format that the oracle supports: a type of its library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatInfo {
    /// The format, with the library's spelling of its name.
    pub format: Format,
    /// The library's number of the type, in calls and in model files.
    pub file_type: u32,
    /// Number of weights that are packed together.
    pub block: usize,
    /// Bytes of a block; `None` if the size of a tensor is not that of its blocks.
    pub block_bytes: Option<usize>,
    /// The dot product of a row is defined for multiples of this number of columns.
    pub cols_multiple: usize,
    /// The type to which a matmul converts activations, such as `q8_K`, if the library has one.
    pub activations: Option<Format>,
    /// Whether the library converts rows to floats.
    pub has_to_float: bool,
    /// Whether the library quantizes to the type.
    pub has_quantizer: bool,
    /// Whether the quantizer needs importances.
    pub needs_importance: bool,
    /// Whether the library has a dot kernel for rows of the type.
    pub has_dot: bool,
    /// How the known answers are checked.
    pub check: Check,
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
    /// Supported formats, by ascending number, without those that are refused.
    pub formats: Vec<FormatInfo>,
    /// Formats that the oracle claims but computes wrong.
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
                .map(|info| FormatInfo {
                    format: Format::named(&text(info.name)),
                    file_type: info.format,
                    block: info.block as usize,
                    block_bytes: (info.block_bytes > 0).then_some(info.block_bytes as usize),
                    cols_multiple: info.cols_multiple as usize,
                    activations: Some(text(info.activations))
                        .filter(|name| !name.is_empty())
                        .map(|name| Format::named(&name)),
                    has_to_float: info.has_to_float != 0,
                    has_quantizer: info.has_quantizer != 0,
                    needs_importance: info.needs_importance != 0,
                    has_dot: info.has_dot != 0,
                    check: Check::None,
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
