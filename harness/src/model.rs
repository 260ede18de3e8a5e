//! The model file under test and its ternary tensors, borrowed from the memory map.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qk256::format::{FORMATS, Layout, RawTensor, StorageVariantError, Weights};
use qk256::gguf::{Gguf, GgufError, Tensor};
use thiserror::Error;

pub use crate::mapped::Change;
use crate::mapped::{self, Mapped};
use crate::nearest;

/// Why a model cannot be checked.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file is no GGUF file that this project can read. The inner error names the file.
    #[error(transparent)]
    Gguf(Box<GgufError>),
    /// A tensor does not fit its declared type.
    #[error("{path}: tensor {tensor}: {source}")]
    Tensor {
        /// Path of the file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The reason.
        source: Box<StorageVariantError>,
    },
    /// There is no tensor of this name.
    #[error(
        "{path}: no ternary tensor named `{name}`: {}",
        nearest::hint(name, known.iter().map(String::as_str), Some("harness dump-lut"))
    )]
    NoTensor {
        /// Path of the file.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// Names of the ternary tensors in the file.
        known: Vec<String>,
    },
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file changed since it was opened.
    #[error("{path}: the file {change}: results computed from it are void; run again")]
    Changed {
        /// Path of the file.
        path: PathBuf,
        /// The change.
        change: Change,
    },
}

/// An open model file.
#[derive(Debug)]
pub struct Model {
    file: Arc<Mapped>,
}

/// A tensor whose type is ternary.
#[derive(Debug, Clone)]
pub struct TernaryTensor<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Bytes and storage of the tensor.
    pub weights: Weights<'a>,
}

impl Model {
    /// Opens a model. The file is mapped into memory once for all users.
    ///
    /// # Errors
    ///
    /// [`ModelError::Gguf`].
    pub fn open(path: &Path) -> Result<Model, ModelError> {
        let file = mapped::open(path).map_err(|error| ModelError::Gguf(Box::new(error)))?;
        Ok(Model { file })
    }

    /// The model that is already open by this path, even if another file has taken the path, or else opens it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) fn of_run(path: &Path) -> Result<Model, ModelError> {
        match mapped::opened(path) {
            Some(file) => Ok(Model { file }),
            None => Model::open(path),
        }
    }

    /// The path used for opening it.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file's metadata and tensors.
    pub fn gguf(&self) -> Gguf<'_> {
        self.file.view()
    }

    /// All tensors of ternary types, in file order. I2_S codes are read in `layout`, because the file does not record
    /// it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tensor`] for the first tensor whose storage variant cannot be determined or whose shape does not
    /// fit.
    pub fn ternary_tensors(&self, layout: Layout) -> Result<Vec<TernaryTensor<'_>>, ModelError> {
        let gguf = self.gguf();
        let ternary = |tensor: &Tensor<'_>| {
            FORMATS
                .iter()
                .any(|format| format.ggml_type == tensor.ggml_type())
        };
        gguf.tensors()
            .filter(ternary)
            .map(|tensor| {
                let scales = sibling_scale(&gguf, tensor.name());
                let weights = Weights::from_tensor(raw(&tensor), layout, gguf.alignment(), scales)
                    .map_err(|source| ModelError::Tensor {
                        path: self.path().into(),
                        tensor: tensor.name().into(),
                        source: Box::new(source),
                    })?;
                Ok(TernaryTensor {
                    name: tensor.name(),
                    weights,
                })
            })
            .collect()
    }

    /// Number of bytes that belong to no tensor and exceed padding, see [`Gguf::unused`]. They are not read.
    pub fn unused_bytes(&self) -> u64 {
        let unused = self.gguf().unused();
        unused.iter().map(|range| range.len() as u64).sum()
    }

    /// Returns an error if the file changed since it was opened, as far as the system reports it. Call it before
    /// results computed from the file are used.
    ///
    /// # Errors
    ///
    /// [`ModelError::Changed`].
    pub fn require_unchanged(&self) -> Result<(), ModelError> {
        let changed = |change| ModelError::Changed {
            path: self.path().into(),
            change,
        };
        self.file.require_unchanged().map_err(changed)
    }

    /// Calls `open` with a path of this file, even if another file has taken its original path.
    pub fn opened_by<T>(&self, open: impl Fn(&Path) -> T) -> T {
        self.file.opened_by(open)
    }

    /// SHA-256 of the opened file in hexadecimal.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`], and [`ModelError::Changed`] if the file changed since it was opened.
    pub fn sha256(&self) -> Result<String, ModelError> {
        let io = |source| ModelError::Io {
            path: self.path().into(),
            source,
        };
        let hash = self.file.sha256().map_err(io)?;
        self.require_unchanged()?;
        Ok(hash)
    }
}

/// The companion tensor with the scale, such as `blk.0.attn_q.scale` of `blk.0.attn_q.weight`.
fn sibling_scale<'a>(gguf: &Gguf<'a>, name: &str) -> Option<RawTensor<'a>> {
    let stem = name.strip_suffix(".weight")?;
    Some(raw(&gguf.find_tensor(&format!("{stem}.scale"))?))
}

fn raw<'a>(tensor: &Tensor<'a>) -> RawTensor<'a> {
    RawTensor {
        ggml_type: tensor.ggml_type(),
        rows: tensor.rows(),
        cols: tensor.columns(),
        span: tensor.bytes(),
    }
}
