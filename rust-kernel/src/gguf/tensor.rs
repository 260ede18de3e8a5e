//! Tensor infos of a file, and views of tensors.

use std::ops::Range;

use super::cursor::Cursor;
use super::error::GgufError;
use super::ggml_type::GgmlType;
use super::problem::Problem;
use super::shape::{MAX_DIMS, Shape};

/// One entry of the file's tensor list.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorInfo<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Shape,
    /// Offset of the data from the start of the data section.
    pub(super) offset: u64,
    /// Position of the field `offset` in the file.
    pub(super) offset_at: usize,
}

impl<'a> TensorInfo<'a> {
    /// Minimum size of an entry in bytes: the length of an empty name, the number of dimensions, one dimension, type,
    /// offset.
    pub(super) const LEAST_BYTES: usize = 8 + 4 + 8 + 4 + 8;

    /// Reads entry `index` of the list.
    pub(super) fn read(cursor: &mut Cursor<'a>, index: usize) -> Result<Self, GgufError> {
        let place = |error: GgufError| error.within(format_args!("tensor_infos[{index}]"));
        let name = cursor.str("name").map_err(place)?;
        Self::read_named(cursor, name).map_err(|error| place(error).of_entry(name))
    }

    fn read_named(cursor: &mut Cursor<'a>, name: &'a str) -> Result<Self, GgufError> {
        let count_at = cursor.position();
        let count = cursor.u32("n_dims")?;
        let dims_at = cursor.position();
        let mut dims = [0; MAX_DIMS];
        let Some(dims) = usize::try_from(count)
            .ok()
            .and_then(|count| dims.get_mut(..count))
        else {
            let problem = Problem::DimensionCount {
                found: count.into(),
                most: MAX_DIMS,
            };
            return Err(GgufError::malformed("n_dims", count_at, problem));
        };
        for (index, dim) in dims.iter_mut().enumerate() {
            let place = |error: GgufError| error.within(format_args!("dims[{index}]"));
            let at = cursor.position();
            *dim = usize::try_from(cursor.u64("").map_err(place)?)
                .map_err(|_| place(GgufError::malformed("", at, Problem::DimensionOverflow)))?;
        }
        let type_at = cursor.position();
        let ggml_type = GgmlType(cursor.u32("type")?);
        let shape = Shape::new(dims, ggml_type).map_err(|problem| {
            let (field, at) = match problem {
                Problem::DimensionCount { .. } => ("n_dims".to_owned(), count_at),
                Problem::UnknownType { .. } => ("type".to_owned(), type_at),
                Problem::ZeroDimension => {
                    let zero = dims.iter().position(|&dim| dim == 0).unwrap_or_default();
                    (format!("dims[{zero}]"), dims_at + 8 * zero)
                }
                Problem::PartialBlock { .. } => ("dims[0]".to_owned(), dims_at),
                _ => ("dims".to_owned(), dims_at),
            };
            GgufError::malformed(&field, at, problem)
        })?;
        let offset_at = cursor.position();
        let offset = cursor.u64("offset")?;
        Ok(Self {
            name,
            shape,
            offset,
            offset_at,
        })
    }

    /// An error about the offset of entry `index`.
    pub(super) fn bad_offset(&self, index: usize, problem: Problem) -> GgufError {
        GgufError::malformed("offset", self.offset_at, problem)
            .within(format_args!("tensor_infos[{index}]"))
            .of_entry(self.name)
    }
}

/// A tensor of a file: name, shape, type, and the bytes from its start to the start of the next tensor.
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Shape,
    pub(super) span: Range<usize>,
    pub(super) bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// The tensor's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Dimensions and type.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The dimensions, 1 to 4 of them, the contiguous one (`ne[0]`, the columns) first.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// Elements of one row: `dims()[0]`.
    pub fn columns(&self) -> usize {
        self.shape.columns()
    }

    /// Rows: the product of all dimensions but the first.
    pub fn rows(&self) -> usize {
        self.shape.rows()
    }

    /// The type.
    pub fn ggml_type(&self) -> GgmlType {
        self.shape.ggml_type()
    }

    /// The span: from the start of the tensor to the start of the next one, or to the end of the file.
    ///
    /// It can end in padding. Without gaps in the file, the padding is shorter than the
    /// [`alignment`](super::Gguf::alignment). The span has at least [`nominal_bytes`](Self::nominal_bytes) bytes if
    /// these are known.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The span as a range of offsets in the file.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Size in bytes computed from shape and type, or `None` for types without a reliable size (I2_S, TL1). Only
    /// the span bounds the data of these.
    pub fn nominal_bytes(&self) -> Option<usize> {
        self.shape.nominal_bytes()
    }

    /// The bytes of the tensor without padding, or `None` if [`nominal_bytes`](Self::nominal_bytes) is `None`.
    pub fn data(&self) -> Option<&'a [u8]> {
        self.bytes.get(..self.nominal_bytes()?)
    }
}
