//! Metadata values, borrowed from the bytes that hold them.

use super::cursor::Cursor;
use super::error::GgufError;
use super::problem::Problem;
use super::value_type::ValueType;

/// Maximum depth of nested arrays. An array of numbers has depth 1.
pub const MAX_ARRAY_DEPTH: usize = 8;

/// A metadata value, as returned by the reader and accepted by the writer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is the ValueType of the same name"
)]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'a> Value<'a> {
    /// The value's type.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::Str(_) => ValueType::Str,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// Reads a value of this type and checks all its bytes, in time linear in its length. `depth` is the remaining
    /// number of array levels.
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        field: &str,
        value_type: ValueType,
        depth: usize,
    ) -> Result<Self, GgufError> {
        Ok(match value_type {
            ValueType::U8 => Self::U8(cursor.u8(field)?),
            ValueType::I8 => Self::I8(cursor.i8(field)?),
            ValueType::U16 => Self::U16(cursor.u16(field)?),
            ValueType::I16 => Self::I16(cursor.i16(field)?),
            ValueType::U32 => Self::U32(cursor.u32(field)?),
            ValueType::I32 => Self::I32(cursor.i32(field)?),
            ValueType::F32 => Self::F32(cursor.f32(field)?),
            ValueType::Bool => Self::Bool(cursor.bool(field)?),
            ValueType::Str => Self::Str(cursor.str(field)?),
            ValueType::U64 => Self::U64(cursor.u64(field)?),
            ValueType::I64 => Self::I64(cursor.i64(field)?),
            ValueType::F64 => Self::F64(cursor.f64(field)?),
            ValueType::Array => {
                Self::Array(Array::read(cursor, depth).map_err(|error| error.within(field))?)
            }
        })
    }

    /// Appends the encoded value, without its type.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::U8(number) => out.extend(number.to_le_bytes()),
            Self::I8(number) => out.extend(number.to_le_bytes()),
            Self::U16(number) => out.extend(number.to_le_bytes()),
            Self::I16(number) => out.extend(number.to_le_bytes()),
            Self::U32(number) => out.extend(number.to_le_bytes()),
            Self::I32(number) => out.extend(number.to_le_bytes()),
            Self::F32(number) => out.extend(number.to_le_bytes()),
            Self::Bool(bit) => out.push(u8::from(*bit)),
            Self::Str(text) => encode_str(text, out),
            Self::Array(array) => {
                out.extend(array.item_type.id().to_le_bytes());
                out.extend((array.len as u64).to_le_bytes());
                out.extend(array.items);
            }
            Self::U64(number) => out.extend(number.to_le_bytes()),
            Self::I64(number) => out.extend(number.to_le_bytes()),
            Self::F64(number) => out.extend(number.to_le_bytes()),
        }
    }
}

/// Appends an encoded string: its length in bytes as a `u64`, then the bytes.
pub(super) fn encode_str(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Reads the id of a value type.
pub(super) fn read_type(cursor: &mut Cursor<'_>, field: &str) -> Result<ValueType, GgufError> {
    let at = cursor.position();
    let found = cursor.u32(field)?;
    ValueType::from_id(found)
        .ok_or_else(|| GgufError::malformed(field, at, Problem::ValueType { found }))
}

/// An array of values of one type. The items are borrowed from the file and decoded on access. Arrays are equal if
/// their bytes are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array<'a> {
    item_type: ValueType,
    len: usize,
    /// The encoded items, valid by construction.
    items: &'a [u8],
}

impl<'a> Array<'a> {
    /// An array of `items`, which must be `len` valid encoded values of the type.
    pub(super) fn from_encoded(item_type: ValueType, len: usize, items: &'a [u8]) -> Self {
        Self {
            item_type,
            len,
            items,
        }
    }

    fn read(cursor: &mut Cursor<'a>, depth: usize) -> Result<Self, GgufError> {
        let Some(depth) = depth.checked_sub(1) else {
            let problem = Problem::ArrayDepth {
                limit: MAX_ARRAY_DEPTH,
            };
            return Err(GgufError::malformed("", cursor.position(), problem));
        };
        let item_type = read_type(cursor, "item_type")?;
        let len = cursor.count("len", item_type.least_bytes())?;
        let mut end = *cursor;
        match item_type.fixed_bytes() {
            // Any bytes are a valid number, and `count` has checked the length.
            Some(bytes) if item_type != ValueType::Bool => {
                end.take("items", (len * bytes) as u64)?;
            }
            _ => {
                for index in 0..len {
                    Value::read(&mut end, "", item_type, depth)
                        .map_err(|error| error.within(format_args!("[{index}]")))?;
                }
            }
        }
        let items = cursor.take("items", (end.position() - cursor.position()) as u64)?;
        Ok(Self {
            item_type,
            len,
            items,
        })
    }

    /// The type of every item.
    pub fn item_type(&self) -> ValueType {
        self.item_type
    }

    /// Items in the array.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of array levels. It is 1 for an array of anything but arrays.
    pub(super) fn depth(&self) -> usize {
        let inner = |item| {
            if let Value::Array(array) = item {
                array.depth()
            } else {
                0
            }
        };
        1 + match self.item_type {
            ValueType::Array => self.iter().map(inner).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The encoded items.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.items
    }

    /// The items in order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.items, 0);
        let item_type = self.item_type;
        (0..self.len).map_while(move |_| {
            // The items were checked when the array was read, so the read cannot fail.
            Value::read(&mut cursor, "", item_type, MAX_ARRAY_DEPTH).ok()
        })
    }

    /// The item at this index. Takes constant time for items of fixed size.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        if index >= self.len {
            return None;
        }
        match self.item_type.fixed_bytes() {
            Some(bytes) => {
                let mut cursor = Cursor::new(self.items, index * bytes);
                Value::read(&mut cursor, "", self.item_type, 0).ok()
            }
            None => self.iter().nth(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `depth` arrays of one item around an empty array of bytes.
    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 1..depth {
            bytes.extend(ValueType::Array.id().to_le_bytes());
            bytes.extend(1u64.to_le_bytes());
        }
        bytes.extend(ValueType::U8.id().to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes
    }

    fn read<'a>(bytes: &'a [u8], value_type: ValueType) -> Result<Value<'a>, GgufError> {
        Value::read(
            &mut Cursor::new(bytes, 0),
            "value",
            value_type,
            MAX_ARRAY_DEPTH,
        )
    }

    #[test]
    fn arrays_nest_up_to_the_limit_and_no_further() {
        let bytes = nested(MAX_ARRAY_DEPTH);
        let Ok(Value::Array(array)) = read(&bytes, ValueType::Array) else {
            panic!()
        };
        assert_eq!(array.depth(), MAX_ARRAY_DEPTH);
        let bytes = nested(MAX_ARRAY_DEPTH + 1);
        let Err(GgufError::Malformed {
            field,
            offset,
            problem,
            ..
        }) = read(&bytes, ValueType::Array)
        else {
            panic!("too deep an array was read");
        };
        assert_eq!(
            problem,
            Problem::ArrayDepth {
                limit: MAX_ARRAY_DEPTH
            }
        );
        assert_eq!(field, format!("value{}", "[0]".repeat(MAX_ARRAY_DEPTH)));
        assert_eq!(offset, 12 * MAX_ARRAY_DEPTH as u64);
    }

    #[test]
    fn every_boolean_of_an_array_is_checked() {
        let mut bytes = ValueType::Bool.id().to_le_bytes().to_vec();
        bytes.extend(3u64.to_le_bytes());
        bytes.extend([1, 0, 2]);
        let error = read(&bytes, ValueType::Array).unwrap_err().to_string();
        assert!(
            error.starts_with("value[2] at byte 14: found the boolean 2"),
            "{error}"
        );
        bytes[14] = 1;
        let Ok(Value::Array(array)) = read(&bytes, ValueType::Array) else {
            panic!()
        };
        let bits: Vec<_> = array.iter().collect();
        assert_eq!(
            bits,
            [Value::Bool(true), Value::Bool(false), Value::Bool(true)]
        );
        assert_eq!(
            (array.get(1), array.get(3)),
            (Some(Value::Bool(false)), None)
        );
    }
}
