//! The known-answer check: a format whose products or values an oracle computes wrong is refused.
//!
//! If upstream's kernels are compiled without an instruction set that they need, their body is empty and they return
//! uninitialized memory. A single check could match that by chance. For every format there is therefore a matmul whose
//! rows differ, and for ternary formats there are two integer checks with different answers.
//!
//! The weights of a row are equal, and so are all activations. In each integer check, all codes in one half of the
//! columns (for TQ1_0, in one part) are equal. So the checks do not depend on the order of the weights in a block.
//! Types without hand-made blocks, which only a fork has, are checked with the library's own quantizer.

mod samples;

use crate::describe::{Check, Format, FormatInfo};
use crate::error::{OracleError, Status};
use crate::table::Table;
use samples::Sample;

/// Columns of a check, if the format's multiple divides it. There are several blocks of every size.
const COLS: usize = 512;

/// The activations with hand-made blocks. 127 is quantized without rounding for every format, and its products are
/// exact.
const ACTIVATION: f32 = 127.0;

/// The largest relative difference of a product of floats and one of quantized activations.
const ROUND_TRIP_TOLERANCE: f64 = 0.01;

/// Checks one format.
///
/// # Errors
///
/// [`OracleError::WrongAnswer`] for the first wrong or missing answer.
pub(crate) fn known_answers(table: &Table, info: &FormatInfo) -> Result<Check, OracleError> {
    let check = answers_of_samples(table, info)?;
    if check == Check::RoundTrip {
        Subject { table, info }.round_trip()?;
    }
    Ok(check)
}

/// As [`known_answers`], but a type without hand-made blocks is not checked again: the quantizers of some forks take
/// seconds.
///
/// # Errors
///
/// As [`known_answers`].
pub(crate) fn answers_of_samples(table: &Table, info: &FormatInfo) -> Result<Check, OracleError> {
    // A fork may have another type of the same name, whose blocks have another size.
    let fits = |sample: &&Sample| {
        let [plus, _] = &sample.rows;
        match info.block_bytes {
            Some(found) => found == samples::bytes(plus.block).len(),
            None => !sample.tail.is_empty(),
        }
    };
    if let Some(sample) = samples::named(info.format.name()).filter(fits) {
        let subject = Subject { table, info };
        subject.integers()?;
        subject.products(sample)?;
        subject.values(sample)?;
        return Ok(Check::Sample);
    }
    Ok(if info.has_quantizer && info.has_to_float {
        Check::RoundTrip
    } else {
        Check::None
    })
}

/// The oracle and the format under test.
struct Subject<'a> {
    table: &'a Table,
    info: &'a FormatInfo,
}

impl Subject<'_> {
    fn cols(&self) -> usize {
        COLS.next_multiple_of(self.info.cols_multiple.max(1))
    }

    /// The integer checks of a ternary format.
    fn integers(&self) -> Result<(), OracleError> {
        let mut known = TERNARY.iter();
        let Some(dots) = known.find(|dots| dots.format == self.info.format) else {
            return Ok(());
        };
        for (input, expected) in INPUTS.iter().zip(dots.expected) {
            let got = self.code_dot(dots, input);
            match got {
                // The library multiplies the format with other activations, so it has no such integers.
                Err(error) if error.status() == Some(Status::Unsupported) => break,
                got => self.compare("code_dot", &expected, got)?,
            }
        }
        Ok(())
    }

    fn code_dot(&self, dots: &Dots, input: &Runs) -> Result<i64, OracleError> {
        let row = (dots.row)(input.codes);
        let mut activations = [input.activations[1]; DOT_COLS];
        activations[..dots.first].fill(input.activations[0]);
        let mut out = [0];
        self.table.code_dot(
            self.info.file_type,
            DOT_COLS,
            &row,
            1,
            row.len(),
            &activations,
            &mut out,
        )?;
        Ok(out[0])
    }

    /// The rows of a sample, one after the other.
    fn rows(&self, sample: &Sample) -> Vec<u8> {
        let blocks = self.cols() / self.info.block.max(1);
        let row = |weights: &samples::Weights| samples::bytes(weights.block).repeat(blocks);
        let rows = sample.rows.iter().flat_map(row);
        rows.chain(samples::bytes(sample.tail)).collect()
    }

    /// Each weight of a row times [`ACTIVATION`].
    fn products(&self, sample: &Sample) -> Result<(), OracleError> {
        let cols = self.cols();
        let product = |weights: &samples::Weights| weights.value * ACTIVATION * cols as f32;
        let mut out = [0.0; 2];
        // The allocator aligns the buffer for every scalar.
        let result = self.table.matmul(
            self.info.file_type,
            2,
            cols,
            &self.rows(sample),
            &vec![ACTIVATION; cols],
            1,
            &mut out,
        );
        let expected = sample.rows.each_ref().map(product);
        self.compare("matmul", &expected, result.map(|()| out))
    }

    /// Each weight of a row, converted to a float.
    fn values(&self, sample: &Sample) -> Result<(), OracleError> {
        if !self.info.has_to_float {
            return Ok(());
        }
        let cols = self.cols();
        let bytes = self.rows(sample);
        let mut out = vec![0.0; 2 * cols];
        let result = self.dequantize(&bytes, 2, &mut out);
        let expected = sample.rows.each_ref().map(|weights| weights.value);
        // A wrong value of each row, or the right one.
        let got = [0, 1].map(|row| {
            let mut values = out[row * cols..][..cols].iter().copied();
            values.find(|value| *value != expected[row])
        });
        let got = [0, 1].map(|row| got[row].unwrap_or(expected[row]));
        self.compare("dequantize", &expected, result.map(|()| got))
    }

    fn dequantize(&self, bytes: &[u8], rows: usize, out: &mut [f32]) -> Result<(), OracleError> {
        let stride = bytes.len() / rows;
        let format = self.info.file_type;
        self.table
            .dequantize(format, self.cols(), bytes, rows, stride, out)
    }

    /// Quantizes rows, converts them to floats, and compares the sums of their products with those of the matmul.
    fn round_trip(&self) -> Result<(), OracleError> {
        const ROWS: usize = 2;
        let (format, cols) = (self.info.file_type, self.cols());
        let values: Vec<f32> = ramp(89, 256).take(ROWS * cols).collect();
        let activations: Vec<f32> = ramp(37, 255).take(cols).collect();
        let importance = vec![1.0; cols];
        let importance = self.info.needs_importance.then_some(&importance[..]);
        let quantized = || {
            let mut bytes = vec![0; self.table.tensor_bytes(format, ROWS, cols)?];
            self.table
                .quantize(format, ROWS, cols, &values, importance, &mut bytes)?;
            Ok(bytes)
        };
        let bytes: Vec<u8> = self.require("quantize", quantized())?;
        let mut floats = vec![0.0; ROWS * cols];
        self.require("dequantize", self.dequantize(&bytes, ROWS, &mut floats))?;
        let mut out = [0.0; ROWS];
        let matmul = self
            .table
            .matmul(format, ROWS, cols, &bytes, &activations, 1, &mut out);
        self.require("matmul", matmul)?;
        for (row, got) in floats.chunks(cols).zip(out) {
            let terms = row.iter().zip(&activations);
            let terms: Vec<f64> = terms.map(|(w, a)| f64::from(*w) * f64::from(*a)).collect();
            let expected: f64 = terms.iter().sum();
            let size: f64 = terms.iter().map(|term| term.abs()).sum();
            let error = (f64::from(got) - expected).abs();
            // A value that is not finite, or rows of zeros, are wrong too.
            if !(size > 0.0 && error <= ROUND_TRIP_TOLERANCE * size) {
                let expected = format!("{expected} within 1 % of {size}, the sum of magnitudes");
                return Err(self.wrong("matmul after quantize", expected, got.to_string()));
            }
        }
        Ok(())
    }

    fn compare<T: PartialEq + std::fmt::Debug>(
        &self,
        operation: &str,
        expected: &T,
        got: Result<T, OracleError>,
    ) -> Result<(), OracleError> {
        let got = match got {
            Ok(got) if got == *expected => return Ok(()),
            Ok(got) => format!("{got:?}"),
            Err(error) => format!("an error ({error})"),
        };
        Err(self.wrong(operation, format!("{expected:?}"), got))
    }

    /// The result of an operation that must succeed.
    fn require<T>(&self, operation: &str, got: Result<T, OracleError>) -> Result<T, OracleError> {
        got.map_err(|error| self.wrong(operation, "a result".into(), format!("an error ({error})")))
    }

    fn wrong(&self, operation: &str, expected: String, got: String) -> OracleError {
        OracleError::WrongAnswer {
            oracle: self.table.oracle().to_owned(),
            operation: format!("{operation} of {}", self.info.format),
            expected,
            got,
        }
    }
}

/// Fractions from -1 to 1 that visit the multiples of 2 / `period` in steps of `step`.
fn ramp(step: usize, period: usize) -> impl Iterator<Item = f32> {
    (0..).map(move |i| (i * step % period) as f32 / (period / 2) as f32 - 1.0)
}

/// Columns of an integer check.
const DOT_COLS: usize = 256;

/// A row of codes in two runs, and activations in the same two runs.
struct Runs {
    codes: [u8; 2],
    activations: [i8; 2],
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

/// The integer checks of a ternary format.
struct Dots {
    format: Format,
    /// Columns in the first run.
    first: usize,
    /// Packs a row of codes in two runs, with scale one if it has one.
    row: fn([u8; 2]) -> Vec<u8>,
    /// The sums of code * activation, computed by hand: 128*2*3 - 128*7 and 128*2*9 for halves; 160*2*3 - 96*7 and
    /// 96*2*9 for runs of 160 and 96.
    expected: [i64; 2],
}

const TERNARY: [Dots; 3] = [
    Dots {
        format: Format::I2S,
        first: 128,
        row: pack_two_bits,
        expected: [-128, 2304],
    },
    Dots {
        format: Format::TQ2_0,
        first: 128,
        row: |codes| with_scale(pack_two_bits(codes)),
        expected: [-128, 2304],
    },
    Dots {
        format: Format::TQ1_0,
        first: 160,
        row: |codes| with_scale(pack_digits(codes)),
        expected: [288, 1728],
    },
];

/// Appends the f16 scale one.
fn with_scale(mut codes: Vec<u8>) -> Vec<u8> {
    codes.extend(0x3C00u16.to_le_bytes());
    codes
}

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

#[cfg(test)]
#[path = "check/tests.rs"]
mod tests;
