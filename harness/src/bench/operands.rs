//! Buffers that all participants share.

use std::fs;

use qk256::format::{Format, ShapeError, Storage, Weights, pack};

use super::plan::Shape;
use crate::probe::Random;

/// Number of rows that are generated and packed. Larger matrices repeat them, which does not affect the time of
/// branchless code.
const DRAWN_ROWS: usize = 64;

/// Alignment of buffers in bytes: a cache line, as in model files.
const ALIGNMENT: usize = 64;

/// Size of all copies of a matrix in multiples of the last-level cache, if the cache must not hold the next copy.
const BEYOND_CACHE: usize = 4;

/// Upper limit in bytes for all copies of a matrix.
const MOST_BYTES: usize = 1 << 31;

/// Size in bytes of the largest cache that the operating system reports.
pub(super) fn last_level_cache() -> Option<usize> {
    let indices = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").ok()?;
    let size = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("size")).ok()?;
        let kib: usize = text.trim().strip_suffix('K')?.parse().ok()?;
        kib.checked_mul(1024)
    };
    indices
        .flatten()
        .filter_map(|index| size(index.path()))
        .max()
}

/// One or several copies of a matrix of pseudo-random trits.
#[derive(Debug)]
pub(super) struct Matrix {
    storage: Storage,
    copies: Vec<Aligned>,
}

impl Matrix {
    /// Creates `copies` copies of a matrix of this format and shape. The trits are the same in every format.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the format cannot hold the shape.
    pub(super) fn new(format: &Format, shape: Shape, copies: usize) -> Result<Matrix, ShapeError> {
        let Shape { rows, cols, .. } = shape;
        let storage = Storage::native(*format, rows, cols)?;
        let drawn = Storage::native(*format, DRAWN_ROWS.min(rows), cols)?;
        let mut random = Random::new(0, "bench/weights");
        let codes: Vec<u8> = (0..drawn.rows() * cols)
            .map(|_| random.below(3) as u8)
            .collect();
        let packed = pack(&drawn, &codes, &vec![0.5; drawn.scale_count()])?;

        // Panels of rows have a constant stride. The bytes after the last panel are the same in both storages.
        let body = |storage: &Storage| {
            storage.rows().div_ceil(storage.layout().panel_rows()) * storage.panel_stride()
        };
        let (panels, rest) = packed.split_at(body(&drawn));
        let bytes: Vec<u8> = panels
            .iter()
            .cycle()
            .take(body(&storage))
            .chain(rest)
            .copied()
            .collect();
        Weights::new(storage, &bytes)?;
        Ok(Matrix {
            storage,
            copies: (0..copies).map(|_| Aligned::new(&bytes)).collect(),
        })
    }

    /// The storage of the matrix.
    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Number of copies.
    pub(super) fn copies(&self) -> usize {
        self.copies.len()
    }

    /// The bytes used by call number `call`.
    pub(super) fn bytes(&self, call: usize) -> &[u8] {
        self.copies[call % self.copies.len()].bytes()
    }

    /// The weights used by call number `call`.
    pub(super) fn weights(&self, call: usize) -> Weights<'_> {
        Weights::new(self.storage, self.bytes(call)).expect("every copy has the storage's length")
    }
}

/// Number of copies of `bytes` bytes, and whether they guarantee that the cache does not hold a copy when it is used
/// again.
pub(super) fn copies(bytes: usize, beyond_cache: bool) -> (usize, bool) {
    match last_level_cache() {
        Some(cache) if beyond_cache => {
            let wanted = (BEYOND_CACHE * cache).div_ceil(bytes).max(2);
            let copies = wanted.min((MOST_BYTES / bytes).max(1));
            (copies, copies * bytes >= 2 * cache)
        }
        Some(cache) => (1, bytes >= 2 * cache),
        None if beyond_cache => (BEYOND_CACHE, false),
        None => (1, false),
    }
}

/// Activations, `batch x cols`, row-major, approximately normally distributed.
pub(super) fn activations(batch: usize, cols: usize) -> Vec<f32> {
    let mut random = Random::new(0, "bench/activations");
    (0..batch * cols).map(|_| random.bell()).collect()
}

/// Bytes that start at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
struct Aligned {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Aligned {
        let mut memory = vec![0; bytes.len() + ALIGNMENT];
        // `align_offset` may fail. The bytes are then unaligned.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        memory[start..][..bytes.len()].copy_from_slice(bytes);
        Aligned {
            memory,
            start,
            len: bytes.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use qk256::format::{FORMATS, codes};

    use super::*;

    #[test]
    fn every_format_holds_the_same_trits_in_valid_bytes() {
        let shape = Shape {
            rows: 3 * DRAWN_ROWS,
            cols: 512,
            beyond_cache: false,
        };
        let reference = Matrix::new(&FORMATS[0], shape, 1).unwrap();
        let wanted = codes(&reference.weights(0));
        assert_eq!(wanted.iter().max(), Some(&2));
        for format in FORMATS {
            let matrix = Matrix::new(format, shape, 2).unwrap();
            for call in [0, 1, 2] {
                let weights = matrix.weights(call);
                assert_eq!(codes(&weights), wanted, "{}", format.id);
                let last = matrix.storage().scale_count() - 1;
                if matrix.storage().scale_offset().is_some() {
                    assert_eq!(weights.scale(last), 0.5, "{}", format.id);
                }
                assert!(weights.bytes().as_ptr().addr().is_multiple_of(ALIGNMENT));
            }
            let (first, second) = (matrix.bytes(0).as_ptr(), matrix.bytes(1).as_ptr());
            assert!(first != second && first == matrix.bytes(2).as_ptr());
        }
    }

    #[test]
    fn copies_exceed_the_cache() {
        let bytes = 1 << 20;
        assert_eq!(copies(bytes, false).0, 1);
        let (copies, beyond) = copies(bytes, true);
        assert!(copies > 1 && copies * bytes <= MOST_BYTES);
        if let Some(cache) = last_level_cache() {
            assert_eq!(beyond, copies * bytes >= 2 * cache);
        }
    }
}
