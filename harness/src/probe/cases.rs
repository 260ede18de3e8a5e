//! Generates matrices for integer dots: exhaustive where small, extremes, every tail, and random ones.

use std::ops::RangeInclusive;

use qk256::format::{Digit, Format, QK256, ShapeError, Storage, StorageVariant, pack};

use super::Random;

/// A packed matrix and a batch of int8 activations.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of the case.
    pub name: String,
    /// Storage of the weights.
    pub storage: Storage,
    /// The packed weights.
    pub bytes: Vec<u8>,
    /// Activation codes, `batch x cols`, row-major.
    pub activations: Vec<i8>,
    /// Whether rows are so long and extreme that int16 lanes wrap if they are widened only every 4096 columns. The
    /// oracle's lanes are, which is a known divergence.
    pub beyond_i16: bool,
}

impl Case {
    /// One row of the batch.
    ///
    /// # Panics
    ///
    /// If `batch` is not less than the number of activation rows.
    pub fn activation_row(&self, batch: usize) -> &[i8] {
        let cols = self.storage.cols();
        &self.activations[batch * cols..][..cols]
    }
}

/// Row lengths around the edges of groups, blocks and accumulator reductions, and some of real models.
const LENGTHS: [usize; 17] = [
    64, 128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1408, 2048, 2176, 3200, 4096, 4352, 6912,
];

/// Row lengths of padded rows: every tail of one block and tails of longer rows.
fn padded_lengths() -> impl Iterator<Item = usize> {
    (1..=QK256 + 1).chain([300, 383, 500, 511, 513, 1000, 2047, 2177])
}

/// Batch sizes of the random cases in rotation. Kernels process several rows together, so some sizes leave a remainder.
const BATCHES: RangeInclusive<usize> = 1..=9;

/// Larger batch sizes, each with one row length, and with an odd number of rows if the layout allows it.
const LARGE_BATCHES: [usize; 3] = [16, 32, 33];

/// All cases for a format.
///
/// # Errors
///
/// [`ShapeError`] if the format cannot hold a shape. No such case is known.
pub fn block_cases(format: &Format, seed: u64) -> Result<Vec<Case>, ShapeError> {
    let mut random = Random::new(seed, format.id);
    let mut batches = BATCHES.cycle();
    let mut next_batch = || batches.next().expect("a cycle never ends");
    let mut cases = vec![exhaustive(format)?];
    for storage in LENGTHS
        .iter()
        .filter_map(|&cols| Storage::native(*format, 4, cols).ok())
    {
        for (codes, activations) in EXTREMES {
            cases.extend(extreme(&storage, codes, activations)?);
        }
        cases.push(random_case(storage, next_batch(), &mut random)?);
    }
    for batch in LARGE_BATCHES {
        let storage = Storage::native(*format, 4 + format.layout.panel_rows(), QK256)?;
        cases.push(random_case(storage, batch, &mut random)?);
    }
    if format.variants.contains(&StorageVariant::PaddedRows) {
        for cols in padded_lengths() {
            let storage = Storage::new(*format, StorageVariant::PaddedRows, 4, cols)?;
            cases.push(random_case(storage, next_batch(), &mut random)?);
        }
    }
    Ok(cases)
}

/// Every value of every byte of a block, with one-hot activations that select each code.
fn exhaustive(format: &Format) -> Result<Case, ShapeError> {
    let panels = 256;
    let rows = panels * format.layout.panel_rows();
    let storage = Storage::native(*format, rows, QK256)?;
    let codes_end = format.layout.block_bytes();
    let mut bytes = pack(
        &storage,
        &vec![0; rows * QK256],
        &vec![1.0; storage.scale_count()],
    )?;
    for (panel, bytes) in bytes
        .chunks_exact_mut(storage.panel_stride())
        .take(panels)
        .enumerate()
    {
        for (position, byte) in bytes[..codes_end].iter_mut().enumerate() {
            // 37 is odd, so each position takes every value over 256 panels.
            *byte = (panel + 37 * position) as u8;
        }
    }
    let activations = (0..QK256 * QK256)
        .map(|i| i8::from(i / QK256 == i % QK256))
        .collect();
    let name = "every value of every byte, one-hot activations".into();
    Ok(Case {
        name,
        storage,
        bytes,
        activations,
        beyond_i16: false,
    })
}

/// The weights or activations of an extreme case by column, with their name.
type Pattern<T> = (&'static str, fn(usize) -> T);

const EXTREMES: [(Pattern<u8>, Pattern<i8>); 10] = [
    (("codes all 0", |_| 0), ("activations all -128", |_| -128)),
    (
        ("codes all 1", |_| 1),
        ("activations alternating 127, -128", |col| {
            if col % 2 == 0 { 127 } else { -128 }
        }),
    ),
    (("codes all 2", |_| 2), ("activations all 0", |_| 0)),
    (("codes all 2", |_| 2), ("activations all 127", |_| 127)),
    (("codes all 2", |_| 2), ("activations all -128", |_| -128)),
    (("codes all 3", |_| 3), ("activations all 127", |_| 127)),
    (("codes all 3", |_| 3), ("activations all -128", |_| -128)),
    (
        ("codes 0, 1, 2 in turn", |col| (col % 3) as u8),
        ("activations counting", |col| col as i8),
    ),
    (
        ("code 2 in the last 31 of 32 columns", |col| {
            if col % 32 == 0 { 0 } else { 2 }
        }),
        ("activations all 127", |_| 127),
    ),
    (
        ("codes 2, 0 in turn", |col| if col % 2 == 0 { 2 } else { 0 }),
        ("activations alternating 127, -128", |col| {
            if col % 2 == 0 { 127 } else { -128 }
        }),
    ),
];

/// A case of equal rows. None if the format cannot hold its codes.
fn extreme(
    storage: &Storage,
    (code_name, code): Pattern<u8>,
    (activation_name, activation): Pattern<i8>,
) -> Result<Option<Case>, ShapeError> {
    let cols = storage.cols();
    let codes: Vec<u8> = (0..storage.rows() * cols).map(|i| code(i % cols)).collect();
    let activations: Vec<i8> = (0..cols).map(activation).collect();
    let holds_three = !matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
    if codes.contains(&3) && !holds_three {
        return Ok(None);
    }
    Ok(Some(Case {
        name: format!("{code_name}, {activation_name}, {cols} columns"),
        storage: *storage,
        bytes: pack(storage, &codes, &vec![1.0; storage.scale_count()])?,
        beyond_i16: beyond_i16(&codes[..cols], &activations),
        activations,
    }))
}

/// Whether an int16 lane can overflow if products of 128 columns are added to 16 lanes, four pairs in each lane, and
/// widened after 32 such steps.
fn beyond_i16(codes: &[u8], activations: &[i8]) -> bool {
    let mut lanes = [0i32; 16];
    for (group, (codes, activations)) in codes.chunks(128).zip(activations.chunks(128)).enumerate()
    {
        if group % 32 == 0 {
            lanes = [0; 16];
        }
        for (i, (&code, &a)) in codes.iter().zip(activations).enumerate() {
            lanes[i % 32 / 2] += i32::from(code) * i32::from(a);
        }
        if lanes.iter().any(|&lane| i16::try_from(lane).is_err()) {
            return true;
        }
    }
    false
}

/// A case of random storable codes and a batch of random activations.
fn random_case(storage: Storage, batch: usize, random: &mut Random) -> Result<Case, ShapeError> {
    let cols = storage.cols();
    let holds_three = !matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
    let kinds = if holds_three { 4 } else { 3 };
    let codes: Vec<u8> = (0..storage.rows() * cols)
        .map(|_| random.below(kinds) as u8)
        .collect();
    Ok(Case {
        name: format!("random codes and activations, {cols} columns, batch {batch}"),
        storage,
        bytes: pack(&storage, &codes, &vec![1.0; storage.scale_count()])?,
        activations: (0..batch * cols).map(|_| random.code()).collect(),
        beyond_i16: false,
    })
}

#[cfg(test)]
mod tests {
    use qk256::format::{FORMATS, I2_S_GROUP128};

    use super::*;

    #[test]
    fn the_exhaustive_case_has_every_value_in_every_byte() {
        for format in FORMATS {
            let case = exhaustive(format).unwrap();
            let stride = case.storage.panel_stride();
            for position in 0..format.layout.block_bytes() {
                let values: std::collections::HashSet<u8> = (0..256)
                    .map(|panel| case.bytes[panel * stride + position])
                    .collect();
                assert_eq!(values.len(), 256, "{} byte {position}", format.id);
            }
        }
    }

    #[test]
    fn int16_lanes_wrap_where_those_of_the_oracle_do() {
        let all = |code, a, cols| beyond_i16(&vec![code; cols], &vec![a; cols]);
        assert!(!all(2, 127, 2048) && all(2, 127, 2176));
        assert!(!all(2, -128, 2048) && all(2, -128, 2176));
        assert!(!all(3, 127, 1280) && all(3, 127, 1408));
    }

    #[test]
    fn every_format_has_every_batch_and_i2_s_has_every_tail() {
        for format in FORMATS {
            let cases = block_cases(format, 1).unwrap();
            for batch in BATCHES.chain(LARGE_BATCHES) {
                let has = |case: &Case| case.activations.len() == batch * case.storage.cols();
                assert!(cases.iter().any(has), "{}, batch {batch}", format.id);
            }
        }
        let cases = block_cases(&I2_S_GROUP128, 1).unwrap();
        for cols in 1..=256 {
            assert!(
                cases.iter().any(|case| case.storage.cols() == cols),
                "{cols} columns"
            );
        }
    }
}
