//! The view of a checked file: metadata and tensors by name or in order.

use std::borrow::Cow;
use std::ops::Range;

use super::convert::FromValue;
use super::cursor::Cursor;
use super::error::{GgufError, shortened};
use super::parse::{Entry, Index, name_at};
use super::tensor::{Tensor, TensorInfo};
use super::value::{Array, Value};

/// A checked GGUF file in memory. All views borrow from the bytes of the file.
#[derive(Debug, Clone)]
pub struct Gguf<'a> {
    bytes: &'a [u8],
    /// The bytes before the tensor data.
    head: &'a [u8],
    index: Cow<'a, Index>,
}

impl<'a> Gguf<'a> {
    /// Checks the file in `bytes` and indexes it.
    ///
    /// Runs in time linear in the metadata, plus sorting of keys and names. No single allocation is larger than the
    /// file, whatever counts it contains. Tensor data is not read.
    ///
    /// # Errors
    ///
    /// [`GgufError::Malformed`] with field, byte offset, what was found and what was expected.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, GgufError> {
        Ok(Self {
            bytes,
            head: bytes,
            index: Cow::Owned(Index::parse(bytes)?),
        })
    }

    /// A view of bytes whose head was parsed before.
    pub(super) fn of_index(bytes: &'a [u8], head: &'a [u8], index: &'a Index) -> Self {
        Self {
            bytes,
            head,
            index: Cow::Borrowed(index),
        }
    }

    /// The whole file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The format's version, 2 or 3.
    pub fn version(&self) -> u32 {
        self.index.version
    }

    /// Alignment of the tensors in bytes: each starts at a multiple of it.
    pub fn alignment(&self) -> usize {
        self.index.alignment
    }

    /// Offset of the tensor data in the file. It is past the end of a file without tensors and padding.
    pub fn data_start(&self) -> usize {
        self.index.data_start
    }

    fn entry(&self, index: usize) -> Option<Entry<'a>> {
        let at = *self.index.entries.get(index)?;
        // `parse` has checked every entry, so the read cannot fail.
        Entry::read(&mut Cursor::new(self.head, at), index).ok()
    }

    /// Metadata entries of the file.
    pub fn metadata_count(&self) -> usize {
        self.index.entries.len()
    }

    /// Keys and values in the order of the file.
    pub fn metadata(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        (0..self.metadata_count())
            .filter_map(|index| self.entry(index).map(|entry| (entry.key, entry.value)))
    }

    /// The value of a key, if the file has it. Each call decodes the value, in time linear in its length.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let position = |&index: &u32| self.index.entries[index as usize];
        let rank = self
            .index
            .by_key
            .binary_search_by(|index| name_at(self.head, position(index)).cmp(key.as_bytes()))
            .ok()?;
        Some(self.entry(self.index.by_key[rank] as usize)?.value)
    }

    /// The value of a key that may be absent, as a Rust type.
    ///
    /// # Errors
    ///
    /// [`GgufError::WrongType`] if the value has another type.
    pub fn optional<T: FromValue<'a>>(&self, key: &str) -> Result<Option<T>, GgufError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match T::from_value(value) {
            Some(found) => Ok(Some(found)),
            None => Err(GgufError::WrongType {
                key: shortened(key),
                found: value.value_type(),
                expected: T::EXPECTED,
            }),
        }
    }

    /// The value of a key, as a Rust type.
    ///
    /// # Errors
    ///
    /// [`GgufError::MissingKey`] or [`GgufError::WrongType`].
    pub fn value<T: FromValue<'a>>(&self, key: &str) -> Result<T, GgufError> {
        let expected = T::EXPECTED;
        self.optional(key)?.ok_or_else(|| GgufError::MissingKey {
            key: shortened(key),
            expected,
        })
    }

    /// The `uint32` of a key; errors as [`value`](Self::value).
    pub fn u32(&self, key: &str) -> Result<u32, GgufError> {
        self.value(key)
    }

    /// The `uint64` of a key; errors as [`value`](Self::value).
    pub fn u64(&self, key: &str) -> Result<u64, GgufError> {
        self.value(key)
    }

    /// The `float32` of a key; errors as [`value`](Self::value).
    pub fn f32(&self, key: &str) -> Result<f32, GgufError> {
        self.value(key)
    }

    /// The `bool` of a key; errors as [`value`](Self::value).
    pub fn bool(&self, key: &str) -> Result<bool, GgufError> {
        self.value(key)
    }

    /// The `string` of a key; errors as [`value`](Self::value).
    pub fn str(&self, key: &str) -> Result<&'a str, GgufError> {
        self.value(key)
    }

    /// The `array` of a key; errors as [`value`](Self::value).
    pub fn array(&self, key: &str) -> Result<Array<'a>, GgufError> {
        self.value(key)
    }

    fn tensor_at(&self, index: usize) -> Option<Tensor<'a>> {
        let place = *self.index.tensors.get(index)?;
        // `parse` has checked every tensor, so the read cannot fail.
        let info = TensorInfo::read(&mut Cursor::new(self.head, place.info), index).ok()?;
        let span = place.start..place.end;
        let bytes = self.bytes.get(span.clone())?;
        Some(Tensor {
            name: info.name,
            shape: info.shape,
            span,
            bytes,
        })
    }

    /// Tensors of the file.
    pub fn tensor_count(&self) -> usize {
        self.index.tensors.len()
    }

    /// The tensors in the order of the file's list. Their data may have another order.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'a>> {
        (0..self.tensor_count()).filter_map(|index| self.tensor_at(index))
    }

    /// Byte ranges that no tensor uses, in file order: gaps between tensors, and bytes after the last tensor.
    ///
    /// The padding that rounds the size of a tensor up to the alignment is not reported. A tensor of unknown size (see
    /// [`Tensor::nominal_bytes`]) uses its whole span.
    pub fn unused(&self) -> Vec<Range<usize>> {
        let behind = |tensor: Tensor<'a>| {
            let span = tensor.span();
            let end = span.start + tensor.nominal_bytes()?;
            let padded = end.checked_next_multiple_of(self.alignment())?;
            (span.end > padded).then_some(end..span.end)
        };
        let mut unused: Vec<_> = self.tensors().filter_map(behind).collect();
        unused.sort_by_key(|range| range.start);
        unused
    }

    /// The tensor with this name, if the file has it.
    pub fn find_tensor(&self, name: &str) -> Option<Tensor<'a>> {
        let position = |&index: &u32| self.index.tensors[index as usize].info;
        let rank = self
            .index
            .by_name
            .binary_search_by(|index| name_at(self.head, position(index)).cmp(name.as_bytes()))
            .ok()?;
        self.tensor_at(self.index.by_name[rank] as usize)
    }

    /// The tensor with this name.
    ///
    /// # Errors
    ///
    /// [`GgufError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<Tensor<'a>, GgufError> {
        self.find_tensor(name)
            .ok_or_else(|| GgufError::MissingTensor {
                name: shortened(name),
            })
    }
}
