//! GGUF files: reader and writer.
//!
//! The reader memory-maps ([`GgufFile::open`]) or takes bytes ([`Gguf::parse`]), checks everything
//! once and then hands out views: strings, arrays and tensors borrow from the file. What it keeps of
//! its own is an index of positions, smaller than the part of the file that it describes, so no
//! number in a file can make it allocate more than the file's own length.
//!
//! The writer ([`Builder`], [`GgufWriter`]) declares first and streams then, so that a file need not
//! fit in memory. The same calls give the same bytes on every machine.
//!
//! # Glossary
//!
//! - **metadata entry**: a key with a typed [`Value`]; keys are unique.
//! - **tensor info**: name, dimensions, type and data offset of one tensor.
//! - **dims**: elements a dimension, `dims[0]` being the contiguous one: the columns.
//! - **alignment**: each tensor starts at a multiple of it; 32 bytes unless [`ALIGNMENT_KEY`] says
//!   otherwise.
//! - **span**: the bytes from a tensor's start to the next tensor's, or to the end of the file, with
//!   whatever padding is between. It never comes from the type's nominal size, which is wrong for
//!   I2_S.
//!
//! The format is the one that `gguf_init_from_file` in `ggml.c` of `bitnet-cpp-sys` 0.0.5 reads:
//! little-endian, versions 2 and 3.

mod array_buf;
mod convert;
mod cursor;
mod error;
mod file;
mod ggml_type;
mod header;
mod parse;
mod problem;
mod reader;
mod shape;
mod tensor;
mod value;
mod value_type;
mod write;

pub use array_buf::ArrayBuf;
pub use convert::FromValue;
pub use error::GgufError;
pub use file::GgufFile;
pub use ggml_type::{Block, GgmlType};
pub use header::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT};
pub use problem::Problem;
pub use reader::Gguf;
pub use shape::{MAX_DIMS, Shape};
pub use tensor::Tensor;
pub use value::{Array, MAX_ARRAY_DEPTH, Value};
pub use value_type::ValueType;
pub use write::{Builder, GgufWriter, TensorSink, WriteError};
