//! The model file under test: its ternary tensors, as they lie in the memory map.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qk256::format::{FORMATS, FlavourError, Layout, RawTensor, Weights};
use qk256::gguf::{Gguf, GgufError, Tensor};
use thiserror::Error;

pub use crate::mapped::Change;
use crate::mapped::{self, Mapped};
use crate::nearest;

/// Why a model cannot be checked.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file is no GGUF file that this project reads, as the error says that names it.
    #[error(transparent)]
    Gguf(Box<GgufError>),
    /// A tensor cannot be read as what its type says.
    #[error("{path}: tensor {tensor}: {source}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        source: Box<FlavourError>,
    },
    /// No tensor of this name.
    #[error(
        "{path}: no ternary tensor named `{name}`: {}",
        nearest::hint(name, known.iter().map(String::as_str), Some("harness dump-lut"))
    )]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The ternary tensors that there are.
        known: Vec<String>,
    },
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not what it was when it was opened.
    #[error("{path}: the file {change}: nothing that was computed from it counts; run again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// What happened to it.
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
    /// Its bytes, with what they mean.
    pub weights: Weights<'a>,
}

impl Model {
    /// Opens a model by mapping it into memory, once for all that have it open.
    ///
    /// # Errors
    ///
    /// [`ModelError::Gguf`].
    pub fn open(path: &Path) -> Result<Model, ModelError> {
        let file = mapped::open(path).map_err(|error| ModelError::Gguf(Box::new(error)))?;
        Ok(Model { file })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file's metadata and tensors.
    pub fn gguf(&self) -> Gguf<'_> {
        self.file.view()
    }

    /// All tensors of ternary types, in the order of the file. I2_S codes are read as `layout`, since no file says.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tensor`] for the first whose flavour cannot be told or whose shape does not fit.
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

    /// Bytes of the file that belong to no tensor and are more than padding, see [`Gguf::unused`]. They are not looked
    /// at.
    pub fn unused_bytes(&self) -> u64 {
        let unused = self.gguf().unused();
        unused.iter().map(|range| range.len() as u64).sum()
    }

    /// An error unless the file is what it was when it was opened, as far as the system tells. To be asked before
    /// anything is said that was computed from it.
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

    /// Calls `open` with a path that leads to this file, even if another one has taken its place.
    pub fn opened_by<T>(&self, open: impl Fn(&Path) -> T) -> T {
        self.file.opened_by(open)
    }

    /// SHA-256 of the bytes that were opened, in hexadecimal.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`], and [`ModelError::Changed`] if they are others by now.
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

/// `blk.0.attn_q.scale` beside `blk.0.attn_q.weight`.
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
