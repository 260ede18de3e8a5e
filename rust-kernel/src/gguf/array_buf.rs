//! Owned arrays, for writing.

use super::problem::Problem;
use super::value::{Array, MAX_ARRAY_DEPTH, Value, encode_str};
use super::value_type::ValueType;

/// An array value to write. Its items are encoded as in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayBuf {
    item_type: ValueType,
    len: usize,
    items: Vec<u8>,
}

impl ArrayBuf {
    /// An array without items.
    pub fn empty(item_type: ValueType) -> Self {
        Self {
            item_type,
            len: 0,
            items: Vec::new(),
        }
    }

    /// An array of strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        let mut array = Self::empty(ValueType::Str);
        for item in items {
            encode_str(item.as_ref(), &mut array.items);
            array.len += 1;
        }
        array
    }

    /// An array of arrays. The inner arrays may differ in item type and length.
    ///
    /// # Errors
    ///
    /// [`Problem::ArrayDepth`] if it would be nested deeper than [`MAX_ARRAY_DEPTH`].
    pub fn arrays<'a>(items: impl IntoIterator<Item = Array<'a>>) -> Result<Self, Problem> {
        let mut array = Self::empty(ValueType::Array);
        for item in items {
            if item.depth() >= MAX_ARRAY_DEPTH {
                return Err(Problem::ArrayDepth {
                    limit: MAX_ARRAY_DEPTH,
                });
            }
            Value::Array(item).encode(&mut array.items);
            array.len += 1;
        }
        Ok(array)
    }

    /// The array as a borrowed value.
    pub fn as_array(&self) -> Array<'_> {
        Array::from_encoded(self.item_type, self.len, &self.items)
    }
}

/// Implements conversions from slices of numbers and booleans.
macro_rules! from_slices {
    ($($item:ty => $variant:ident),*) => {
        $(
            impl From<&[$item]> for ArrayBuf {
                fn from(items: &[$item]) -> Self {
                    let mut array = Self::empty(ValueType::$variant);
                    array.len = items.len();
                    for &item in items {
                        Value::$variant(item).encode(&mut array.items);
                    }
                    array
                }
            }
        )*
    };
}

from_slices!(
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64, bool => Bool
);

impl<'a> From<&'a ArrayBuf> for Value<'a> {
    fn from(array: &'a ArrayBuf) -> Self {
        Self::Array(array.as_array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_went_in() {
        let numbers = ArrayBuf::from(&[-1i16, 0, 300][..]);
        assert_eq!(numbers.as_array().as_bytes(), [255, 255, 0, 0, 44, 1]);
        let items: Vec<_> = numbers.as_array().iter().collect();
        assert_eq!(items, [Value::I16(-1), Value::I16(0), Value::I16(300)]);
        let strings = ArrayBuf::strings(["", "né"]);
        assert_eq!(strings.as_array().get(1), Some(Value::Str("né")));
        let both = ArrayBuf::arrays([numbers.as_array(), strings.as_array()]).unwrap();
        assert_eq!(both.as_array().len(), 2);
        assert_eq!(both.as_array().get(0), Some(Value::from(&numbers)));
        assert_eq!(both.as_array().get(1), Some(Value::from(&strings)));
        assert!(ArrayBuf::empty(ValueType::F64).as_array().is_empty());
    }

    #[test]
    fn arrays_nest_as_deep_as_the_reader_follows() {
        let mut array = ArrayBuf::empty(ValueType::Bool);
        for depth in 1..MAX_ARRAY_DEPTH {
            assert_eq!(array.as_array().depth(), depth);
            array = ArrayBuf::arrays([array.as_array()]).unwrap();
        }
        let refused = ArrayBuf::arrays([array.as_array()]);
        assert_eq!(
            refused,
            Err(Problem::ArrayDepth {
                limit: MAX_ARRAY_DEPTH
            })
        );
    }
}
