//! GGUF files: reader and writer.
//!
//! The reader maps a file ([`GgufFile::open`]) or takes bytes ([`Gguf::parse`]) and checks everything once. Strings,
//! arrays and tensors then borrow from the file. The reader itself allocates an index of positions, which is smaller
//! than the part of the file that it describes. No number in a file can therefore cause an allocation larger than the
//! file.
//!
//! The writer ([`Builder`], [`GgufWriter`]) takes all declarations first and then streams the tensor data, so a file
//! need not fit in memory. The same calls write the same bytes on every machine.
//!
//! # Glossary
//!
//! - **metadata entry**: a key with a typed [`Value`]; keys are unique.
//! - **tensor info**: name, dimensions, type and data offset of one tensor.
//! - **dims**: the number of elements in each dimension. `dims[0]` is the contiguous one: the columns.
//! - **alignment**: each tensor starts at a multiple of it. It is 32 bytes unless [`ALIGNMENT_KEY`] sets another value.
//! - **span**: the bytes from the start of a tensor to the start of the next one or to the end of the file, including
//!   padding. It is not computed from the nominal size of the type, which is wrong for I2_S.
//!
//! The supported format is that of `gguf_init_from_file` in `ggml.c` of `bitnet-cpp-sys` 0.0.5: little-endian, versions
//! 2 and 3.

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
