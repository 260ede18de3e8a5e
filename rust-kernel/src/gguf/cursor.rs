//! A read position in the bytes of a file. The reader accesses the bytes only through it.

use super::error::GgufError;
use super::problem::Problem;

/// Reads consecutive little-endian fields, up to a limit. Each method takes the name of the field, for error messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The bytes of the file up to the limit. They start at the first byte, so `at` is an offset in the file.
    bytes: &'a [u8],
    at: usize,
}

/// Methods that read a number of fixed size.
macro_rules! numbers {
    ($($name:ident),*) => {
        $(
            pub(super) fn $name(&mut self, field: &str) -> Result<$name, GgufError> {
                Ok($name::from_le_bytes(self.array(field)?))
            }
        )*
    };
}

impl<'a> Cursor<'a> {
    /// A cursor at position `at` of `bytes`, or at their end if `at` is past it.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at: at.min(bytes.len()),
        }
    }

    /// Offset in the file of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes up to the limit.
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, field: &str, count: u64) -> Result<&'a [u8], GgufError> {
        let taken = usize::try_from(count)
            .ok()
            .and_then(|count| self.bytes[self.at..].get(..count))
            .ok_or_else(|| {
                let remaining = self.remaining() as u64;
                GgufError::malformed(
                    field,
                    self.at,
                    Problem::Truncated {
                        needed: count,
                        remaining,
                    },
                )
            })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N as u64)?);
        Ok(array)
    }

    numbers!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

    pub(super) fn magic(&mut self, field: &str) -> Result<[u8; 4], GgufError> {
        self.array(field)
    }

    pub(super) fn bool(&mut self, field: &str) -> Result<bool, GgufError> {
        let at = self.at;
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(GgufError::malformed(field, at, Problem::Bool { found })),
        }
    }

    /// A `u64` count of items of at least `least_bytes` bytes each. The items must fit into the remaining bytes.
    pub(super) fn count(&mut self, field: &str, least_bytes: usize) -> Result<usize, GgufError> {
        let at = self.at;
        let found = self.u64(field)?;
        let most = self.remaining() / least_bytes;
        usize::try_from(found)
            .ok()
            .filter(|&count| count <= most)
            .ok_or_else(|| {
                GgufError::malformed(
                    field,
                    at,
                    Problem::Count {
                        found,
                        most: most as u64,
                    },
                )
            })
    }

    /// A `u64` length and as many bytes of UTF-8.
    pub(super) fn str(&mut self, field: &str) -> Result<&'a str, GgufError> {
        let at = self.at;
        let bytes = self.str_bytes(field)?;
        std::str::from_utf8(bytes).map_err(|error| {
            GgufError::malformed(
                field,
                at,
                Problem::NotUtf8 {
                    valid: error.valid_up_to(),
                },
            )
        })
    }

    /// A string as in [`str`](Self::str), without the UTF-8 check.
    pub(super) fn str_bytes(&mut self, field: &str) -> Result<&'a [u8], GgufError> {
        let length = self.u64(field)?;
        self.take(field, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(error: GgufError) -> (u64, Problem) {
        match error {
            GgufError::Malformed {
                offset, problem, ..
            } => (offset, problem),
            other => panic!("expected a malformed field, got {other}"),
        }
    }

    #[test]
    fn a_length_near_the_end_of_numbers_is_a_truncation() {
        for length in [2, u64::from(u32::MAX), u64::MAX - 7, u64::MAX] {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.push(b'x');
            let found = problem(Cursor::new(&bytes, 0).str("key").unwrap_err());
            assert_eq!(
                found,
                (
                    8,
                    Problem::Truncated {
                        needed: length,
                        remaining: 1
                    }
                )
            );
        }
    }

    #[test]
    fn a_count_is_held_against_the_bytes_that_follow() {
        let mut bytes = 3u64.to_le_bytes().to_vec();
        bytes.extend([0; 24]);
        assert_eq!(Cursor::new(&bytes, 0).count("len", 8).unwrap(), 3);
        let found = problem(Cursor::new(&bytes, 0).count("len", 9).unwrap_err());
        assert_eq!(found, (0, Problem::Count { found: 3, most: 2 }));
    }

    #[test]
    fn the_position_stays_where_a_field_failed() {
        let mut cursor = Cursor::new(&[1, 2, 3], 1);
        assert_eq!(cursor.u16("a").unwrap(), 0x0302);
        assert!(cursor.u8("b").is_err());
        assert_eq!((cursor.position(), cursor.remaining()), (3, 0));
        assert_eq!(Cursor::new(&[1], 9).remaining(), 0);
    }
}
