//! Conversions between Rust types and metadata values.

use super::value::{Array, Value};

/// A Rust type that a metadata value can be read as. Types are matched exactly: a `uint32` cannot be read as `u64`, as
/// in the reference's `gguf_get_val_u64`.
pub trait FromValue<'a>: Sized {
    /// Name of the value type, for error messages.
    const EXPECTED: &'static str;

    /// The value, or `None` if it has another type.
    fn from_value(value: Value<'a>) -> Option<Self>;
}

macro_rules! conversions {
    ($($type:ty => $variant:ident, $name:literal;)*) => {
        $(
            impl<'a> From<$type> for Value<'a> {
                fn from(value: $type) -> Self {
                    Self::$variant(value)
                }
            }

            impl<'a> FromValue<'a> for $type {
                const EXPECTED: &'static str = $name;

                fn from_value(value: Value<'a>) -> Option<Self> {
                    match value {
                        Value::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            }
        )*
    };
}

conversions! {
    u8 => U8, "uint8";
    i8 => I8, "int8";
    u16 => U16, "uint16";
    i16 => I16, "int16";
    u32 => U32, "uint32";
    i32 => I32, "int32";
    f32 => F32, "float32";
    bool => Bool, "bool";
    &'a str => Str, "string";
    Array<'a> => Array, "array";
    u64 => U64, "uint64";
    i64 => I64, "int64";
    f64 => F64, "float64";
}
