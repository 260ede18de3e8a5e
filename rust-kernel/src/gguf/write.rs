//! The writer. It takes declarations of metadata and tensors first, and then the tensor data as a stream.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::vec;

use super::error::shortened;
use super::ggml_type::GgmlType;
use super::header::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, VERSION, check_alignment};
use super::problem::Problem;
use super::shape::Shape;
use super::value::{Value, encode_str};

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The key was declared before.
    #[error("metadata key {key:?} is declared twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A tensor of this name was declared before.
    #[error("tensor {name:?} is declared twice")]
    DuplicateTensor {
        /// Its name.
        name: String,
    },
    /// The reader would reject this value.
    #[error("metadata key {key:?}: {problem}")]
    Metadata {
        /// The key.
        key: String,
        /// What was found and what was expected.
        problem: Problem,
    },
    /// The reader would reject this tensor.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// Its name.
        name: String,
        /// What was found and what was expected.
        problem: Problem,
    },
    /// The data has another length than shape and type, or the declaration, require.
    #[error("tensor {name:?}: found {given} bytes, expected {expected}")]
    Length {
        /// Its name.
        name: String,
        /// The required length in bytes.
        expected: u64,
        /// The length that was given. If the writer rejected more data, the bytes written and rejected until then.
        given: u64,
    },
    /// A tensor of unknown size was declared without bytes.
    #[error("tensor {name:?}: found 0 bytes, expected at least 1")]
    NoData {
        /// Its name.
        name: String,
    },
    /// Data was given in another order than the declarations.
    #[error("data of tensor {given:?} was given, expected {}", Expected(expected))]
    Order {
        /// The tensor whose data is due, or `None` after the last one.
        expected: Option<String>,
        /// The tensor whose data was given.
        given: String,
    },
    /// The file was finished too early.
    #[error("the file was finished before the data of tensor {name:?} was given")]
    Unfinished {
        /// The first tensor without data.
        name: String,
    },
    /// The sum of the tensors' lengths overflows a file offset.
    #[error("the tensors are too large for one file, expected fewer than 2^64 bytes in all")]
    TooLarge,
    /// The sink returned an error.
    #[error("the file cannot be written: {0}")]
    Io(#[source] io::Error),
}

struct Expected<'a>(&'a Option<String>);

impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(name) => write!(f, "that of tensor {name:?}"),
            None => f.write_str("no more"),
        }
    }
}

/// A declared tensor whose data was not written yet.
#[derive(Debug, Clone)]
struct Declared {
    name: String,
    shape: Shape,
    bytes: u64,
}

/// The declarations of a file: metadata and tensors, each in the order in which it is written.
///
/// ```
/// use qk256::gguf::{Builder, GgmlType, Gguf};
///
/// let mut builder = Builder::default();
/// builder.metadata("general.architecture", "llama")?;
/// builder.tensor("output_norm.weight", &[2], GgmlType::F32, 8)?;
/// let file = builder.start(Vec::new())?.tensor("output_norm.weight", &[0; 8])?.finish()?;
/// let gguf = Gguf::parse(&file)?;
/// assert_eq!(gguf.str("general.architecture")?, "llama");
/// assert_eq!(gguf.tensor("output_norm.weight")?.columns(), 2);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    alignment: usize,
    /// The encoded metadata entries.
    metadata: Vec<u8>,
    keys: BTreeSet<String>,
    tensors: Vec<Declared>,
    names: BTreeSet<String>,
}

impl Default for Builder {
    /// No metadata, no tensors, [`DEFAULT_ALIGNMENT`].
    fn default() -> Self {
        Self {
            alignment: DEFAULT_ALIGNMENT,
            metadata: Vec::new(),
            keys: BTreeSet::new(),
            tensors: Vec::new(),
            names: BTreeSet::new(),
        }
    }
}

impl Builder {
    /// Appends a metadata entry. The entry [`ALIGNMENT_KEY`] also sets the alignment of the file.
    ///
    /// # Errors
    ///
    /// [`WriteError::DuplicateKey`], or [`WriteError::Metadata`] for an invalid alignment.
    pub fn metadata<'v>(
        &mut self,
        key: &str,
        value: impl Into<Value<'v>>,
    ) -> Result<&mut Self, WriteError> {
        let value = value.into();
        if self.keys.contains(key) {
            return Err(WriteError::DuplicateKey {
                key: shortened(key),
            });
        }
        if key == ALIGNMENT_KEY {
            self.alignment = match value {
                Value::U32(alignment) => check_alignment(alignment),
                other => Err(Problem::AlignmentType {
                    found: other.value_type(),
                }),
            }
            .map_err(|problem| WriteError::Metadata {
                key: shortened(key),
                problem,
            })?;
        }
        self.keys.insert(key.to_owned());
        encode_str(key, &mut self.metadata);
        self.metadata.extend(value.value_type().id().to_le_bytes());
        value.encode(&mut self.metadata);
        Ok(self)
    }

    /// Declares a tensor of these dimensions (`dims[0]` is the contiguous one) with `bytes` bytes of data.
    ///
    /// # Errors
    ///
    /// [`WriteError::DuplicateTensor`]; [`WriteError::Tensor`] for an invalid shape; [`WriteError::Length`] if shape
    /// and type require another length; [`WriteError::NoData`] if they do not determine the length and `bytes` is 0.
    pub fn tensor(
        &mut self,
        name: &str,
        dims: &[usize],
        ggml_type: GgmlType,
        bytes: u64,
    ) -> Result<&mut Self, WriteError> {
        let shape = Shape::new(dims, ggml_type).map_err(|problem| WriteError::Tensor {
            name: shortened(name),
            problem,
        })?;
        match shape.nominal_bytes().map(|nominal| nominal as u64) {
            Some(expected) if expected != bytes => {
                return Err(WriteError::Length {
                    name: shortened(name),
                    expected,
                    given: bytes,
                });
            }
            None if bytes == 0 => {
                return Err(WriteError::NoData {
                    name: shortened(name),
                });
            }
            _ => {}
        }
        if !self.names.insert(name.to_owned()) {
            return Err(WriteError::DuplicateTensor {
                name: shortened(name),
            });
        }
        self.tensors.push(Declared {
            name: name.to_owned(),
            shape,
            bytes,
        });
        Ok(self)
    }

    /// Writes everything except the tensor data to `sink`, in one call.
    ///
    /// # Errors
    ///
    /// [`WriteError::TooLarge`] or [`WriteError::Io`].
    pub fn start<W: Write>(self, mut sink: W) -> Result<GgufWriter<W>, WriteError> {
        let mut head = Vec::new();
        head.extend(MAGIC);
        head.extend(VERSION.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((self.keys.len() as u64).to_le_bytes());
        head.extend(self.metadata);
        let mut offset = 0u64;
        for tensor in &self.tensors {
            encode_str(&tensor.name, &mut head);
            let dims = tensor.shape.dims();
            head.extend((dims.len() as u32).to_le_bytes());
            for &dim in dims {
                head.extend((dim as u64).to_le_bytes());
            }
            head.extend(tensor.shape.ggml_type().0.to_le_bytes());
            head.extend(offset.to_le_bytes());
            offset = offset
                .checked_add(tensor.bytes)
                .and_then(|end| end.checked_next_multiple_of(self.alignment as u64))
                .ok_or(WriteError::TooLarge)?;
        }
        head.resize(head.len().next_multiple_of(self.alignment), 0);
        sink.write_all(&head).map_err(WriteError::Io)?;
        Ok(GgufWriter {
            sink,
            alignment: self.alignment,
            due: self.tensors.into_iter(),
        })
    }
}

/// Writes the tensor data of a file, in the order of the declarations.
///
/// Each method consumes the writer and returns it on success. After an error the file is incomplete, and no more data
/// can be written.
#[derive(Debug)]
#[must_use = "a file is whole only after `finish`"]
pub struct GgufWriter<W> {
    sink: W,
    alignment: usize,
    due: vec::IntoIter<Declared>,
}

impl<W: Write> GgufWriter<W> {
    /// Writes the data of the next tensor, which must be `name`.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`], [`WriteError::Length`] or [`WriteError::Io`].
    pub fn tensor(self, name: &str, data: &[u8]) -> Result<Self, WriteError> {
        self.stream(name, |sink| sink.write_all(data))
    }

    /// Writes the data of the next tensor, which must be `name`, from a callback.
    ///
    /// # Errors
    ///
    /// [`WriteError::Order`]; [`WriteError::Length`] if `fill` writes more or fewer bytes than were
    /// declared; [`WriteError::Io`] with the error of `fill` or of the sink.
    pub fn stream(
        mut self,
        name: &str,
        fill: impl FnOnce(&mut TensorSink<'_>) -> io::Result<()>,
    ) -> Result<Self, WriteError> {
        let tensor = match self.due.next() {
            Some(tensor) if tensor.name == name => tensor,
            other => {
                let expected = other.map(|tensor| shortened(&tensor.name));
                return Err(WriteError::Order {
                    expected,
                    given: shortened(name),
                });
            }
        };
        let expected = tensor.bytes;
        let mut sink = TensorSink {
            sink: &mut self.sink,
            left: expected,
            excess: 0,
        };
        let filled = fill(&mut sink);
        let TensorSink { left, excess, .. } = sink;
        if excess > 0 {
            let given = (expected - left).saturating_add(excess);
            return Err(WriteError::Length {
                name: shortened(name),
                expected,
                given,
            });
        }
        filled.map_err(WriteError::Io)?;
        if left > 0 {
            let given = expected - left;
            return Err(WriteError::Length {
                name: shortened(name),
                expected,
                given,
            });
        }
        let alignment = self.alignment as u64;
        let padding = (alignment - expected % alignment) % alignment;
        io::copy(&mut io::Read::take(io::repeat(0), padding), &mut self.sink)
            .map_err(WriteError::Io)?;
        Ok(self)
    }

    /// Flushes and returns the sink.
    ///
    /// # Errors
    ///
    /// [`WriteError::Unfinished`] if data is missing, or [`WriteError::Io`].
    pub fn finish(mut self) -> Result<W, WriteError> {
        if let Some(tensor) = self.due.next() {
            return Err(WriteError::Unfinished {
                name: shortened(&tensor.name),
            });
        }
        self.sink.flush().map_err(WriteError::Io)?;
        Ok(self.sink)
    }
}

/// Writes the data of one tensor, in pieces of any size. Data beyond the declared length is rejected.
pub struct TensorSink<'a> {
    sink: &'a mut dyn Write,
    /// Bytes that are still missing.
    left: u64,
    /// Bytes that were rejected.
    excess: u64,
}

impl Write for TensorSink<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() as u64 > self.left {
            self.excess = self.excess.saturating_add(data.len() as u64);
            return Err(io::Error::other(
                "more data than was declared for this tensor",
            ));
        }
        let written = self.sink.write(data)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
