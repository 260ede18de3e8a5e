//! The header fields of a file: magic, version and alignment.

use super::problem::Problem;

/// The first four bytes of a file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";

/// The version of written files. The reader also accepts version 2, which has the same layout.
pub(super) const VERSION: u32 = 3;

/// Metadata key that overrides [`DEFAULT_ALIGNMENT`]; its value is a `u32`, a power of two and a
/// multiple of 8.
pub const ALIGNMENT_KEY: &str = "general.alignment";

/// Alignment of tensor data in bytes if a file does not specify one.
pub const DEFAULT_ALIGNMENT: usize = 32;

/// An error unless the reader supports this version.
pub(super) fn check_version(found: u32) -> Result<(), Problem> {
    match found {
        2 | VERSION => Ok(()),
        1 => Err(Problem::Version1),
        // Real versions are small, so a value with only the high bytes set is byte-swapped.
        _ if found & 0xffff == 0 && found != 0 => Err(Problem::BigEndian {
            version: found.swap_bytes(),
        }),
        _ => Err(Problem::Version { found }),
    }
}

/// The alignment in bytes for the value of [`ALIGNMENT_KEY`].
pub(super) fn check_alignment(found: u32) -> Result<usize, Problem> {
    usize::try_from(found)
        .ok()
        .filter(|alignment| alignment.is_power_of_two() && alignment.is_multiple_of(8))
        .ok_or(Problem::Alignment { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_refused_by_name() {
        assert_eq!(check_version(2), Ok(()));
        assert_eq!(check_version(3), Ok(()));
        assert_eq!(check_version(1), Err(Problem::Version1));
        assert_eq!(
            check_version(3 << 24),
            Err(Problem::BigEndian { version: 3 })
        );
        for found in [0, 4, 0x0001_0001, u32::MAX] {
            assert_eq!(check_version(found), Err(Problem::Version { found }));
        }
    }

    #[test]
    fn alignments_are_powers_of_two_from_eight() {
        for good in [8, 16, 32, 64, 4096, 1 << 31] {
            assert_eq!(check_alignment(good), Ok(good as usize));
        }
        for found in [0, 1, 3, 4, 24, 33, u32::MAX] {
            assert_eq!(check_alignment(found), Err(Problem::Alignment { found }));
        }
    }
}
