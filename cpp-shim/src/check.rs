//! The known-answer check: a format whose products of small integers an oracle computes wrong is refused.
//!
//! If upstream's kernels are compiled without an instruction set that they need, their body is empty and they return
//! uninitialized memory. A single check could match that by chance. There are therefore two integer checks with
//! different answers for each ternary format, and for every format a matmul whose rows differ.
//!
//! In each integer check, all codes in one half of the columns (for TQ1_0, in one part) are equal, and so are all
//! activations. The check does not depend on the position of a code within its half.

use crate::describe::Format;
use crate::error::{OracleError, Status};
use crate::table::Table;

const COLS: usize = 256;

/// A row of 256 codes in two runs, and activations in the same two runs.
struct Runs {
    codes: [u8; 2],
    activations: [i8; 2],
}

/// Hand-made tensors of a format.
struct Sample {
    format: Format,
    /// Two rows of 256 weights: +1, then -1.
    matrix: fn() -> Vec<u8>,
    /// The integer check, for ternary formats.
    dots: Option<Dots>,
}

/// Hand-made rows of a ternary format.
struct Dots {
    /// Columns in the first run.
    first: usize,
    /// Packs a row of codes in two runs, without a scale.
    pack: fn([u8; 2]) -> Vec<u8>,
    /// Builds a tensor of packed rows with scale 1.
    tensor: fn(&[Vec<u8>]) -> Vec<u8>,
}

impl Dots {
    /// Two rows of +1 and -1.
    fn matrix(&self) -> Vec<u8> {
        (self.tensor)(&[(self.pack)([2, 2]), (self.pack)([0, 0])])
    }
}

const I2_S: Dots = Dots {
    first: 128,
    pack: pack_two_bits,
    tensor: i2_s_tensor,
};
const TQ2_0: Dots = Dots {
    first: 128,
    pack: pack_two_bits,
    tensor: blocks_tensor,
};
const TQ1_0: Dots = Dots {
    first: 160,
    pack: pack_digits,
    tensor: blocks_tensor,
};

/// One sample for each format of the ABI.
fn sample(format: Format) -> Sample {
    let (matrix, dots): (fn() -> Vec<u8>, _) = match format {
        Format::I2S => (|| I2_S.matrix(), Some(I2_S)),
        Format::Tq2_0 => (|| TQ2_0.matrix(), Some(TQ2_0)),
        Format::Tq1_0 => (|| TQ1_0.matrix(), Some(TQ1_0)),
        Format::F16 => (|| halves([0x3C00, 0xBC00].map(u16::to_le_bytes)), None),
        Format::F32 => (|| halves([1.0f32, -1.0].map(f32::to_le_bytes)), None),
        Format::Q6K => (|| [q6_k_block(33), q6_k_block(31)].concat(), None),
    };
    Sample {
        format,
        matrix,
        dots,
    }
}

/// 256 times the first element, then 256 times the second.
fn halves<const N: usize>(elements: [[u8; N]; 2]) -> Vec<u8> {
    elements
        .into_iter()
        .flat_map(|element| element.repeat(COLS))
        .collect()
}

/// 256 equal codes: the low four bits of each, the high two bits, 16 scales of one and the f16 scale one.
fn q6_k_block(code: u8) -> Vec<u8> {
    let mut block = vec![(code & 0xF) * 0x11; 128];
    block.extend([(code >> 4) * 0b0101_0101; 64]);
    block.extend([1; 16]);
    block.extend(0x3C00u16.to_le_bytes());
    block
}

const INPUTS: [Runs; 2] = [
    Runs {
        codes: [2, 1],
        activations: [3, -7],
    },
    Runs {
        codes: [0, 2],
        activations: [5, 9],
    },
];

/// The sums of code * activation, computed by hand: 128*2*3 - 128*7 and 128*2*9 for halves; 160*2*3 - 96*7 and 96*2*9
/// for runs of 160 and 96.
const fn expected(first: usize) -> [i64; 2] {
    match first {
        160 => [288, 1728],
        _ => [-128, 2304],
    }
}

/// Activations of the matmul check. 127 is quantized without rounding for every format, and its products are exact.
const ACTIVATION: f32 = 127.0;
/// 256 weights of +1, then 256 of -1, times 127.
const PRODUCTS: [f32; 2] = [32512.0, -32512.0];

/// Packs four codes per byte. All bytes of a half are equal.
fn pack_two_bits(codes: [u8; 2]) -> Vec<u8> {
    codes
        .into_iter()
        .flat_map(|code| [code * 0b0101_0101; 32])
        .collect()
}

/// Packs five base-3 digits per byte for 240 columns, and four for the rest. A byte is the fraction digits / 3^5 in
/// 256ths, rounded up. Equal digits c give c*121/243, or c*120/243 without the fifth digit.
fn pack_digits(codes: [u8; 2]) -> Vec<u8> {
    let byte = |code: u8, digits: u32| {
        let fraction = u32::from(code) * digits;
        (fraction * 256).div_ceil(243).to_le_bytes()[0]
    };
    let mut bytes = vec![byte(codes[0], 121); 32];
    bytes.extend([byte(codes[1], 121); 16]);
    bytes.extend([byte(codes[1], 120); 4]);
    bytes
}

/// All codes, one f32 scale, padding.
fn i2_s_tensor(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rows.concat();
    bytes.extend(1.0f32.to_le_bytes());
    bytes.extend([0; 28]);
    bytes
}

/// One block per row: codes, then an f16 scale.
fn blocks_tensor(rows: &[Vec<u8>]) -> Vec<u8> {
    const HALF_ONE: [u8; 2] = 0x3C00u16.to_le_bytes();
    rows.iter()
        .flat_map(|row| [row.as_slice(), &HALF_ONE].concat())
        .collect()
}

/// Checks one format.
///
/// # Errors
///
/// [`OracleError::WrongAnswer`] for the first wrong or missing answer.
pub(crate) fn known_answers(table: &Table, format: Format) -> Result<(), OracleError> {
    let sample = sample(format);
    if let Some(dots) = &sample.dots {
        for (input, expected) in INPUTS.iter().zip(expected(dots.first)) {
            let got = code_dot(table, format, dots, input);
            match got {
                // The library multiplies the format with other activations, so it has no such integers.
                Err(error) if error.status() == Some(Status::Unsupported) => break,
                got => {
                    let got = got.map_err(|error| error.to_string());
                    compare(table, "code_dot", format, &expected, got)?;
                }
            }
        }
    }
    let got = matmul(table, &sample).map_err(|error| error.to_string());
    compare(table, "matmul", format, &PRODUCTS, got)
}

fn code_dot(table: &Table, format: Format, dots: &Dots, input: &Runs) -> Result<i64, OracleError> {
    let tensor = (dots.tensor)(&[(dots.pack)(input.codes)]);
    let mut activations = [input.activations[1]; COLS];
    activations[..dots.first].fill(input.activations[0]);
    let mut out = [0];
    table.code_dot(
        format,
        COLS,
        &tensor,
        1,
        tensor.len(),
        &activations,
        &mut out,
    )?;
    Ok(out[0])
}

fn matmul(table: &Table, sample: &Sample) -> Result<[f32; 2], OracleError> {
    // The allocator aligns the buffer for every scalar.
    let tensor = (sample.matrix)();
    let mut out = [0.0; 2];
    table.matmul(
        sample.format,
        2,
        COLS,
        &tensor,
        &[ACTIVATION; COLS],
        1,
        &mut out,
    )?;
    Ok(out)
}

fn compare<T: PartialEq + std::fmt::Debug>(
    table: &Table,
    function: &str,
    format: Format,
    expected: &T,
    got: Result<T, String>,
) -> Result<(), OracleError> {
    let got = match got {
        Ok(got) if got == *expected => return Ok(()),
        Ok(got) => format!("{got:?}"),
        Err(reason) => format!("an error ({reason})"),
    };
    Err(OracleError::WrongAnswer {
        oracle: table.oracle().to_owned(),
        operation: format!("{function} of {format}"),
        expected: format!("{expected:?}"),
        got,
    })
}

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
