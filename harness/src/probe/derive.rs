//! Re-derives from a running implementation what its bytes mean.
//!
//! Nothing is assumed about the layout. One-hot activations show which weight answers, the bytes that it answers to
//! show where its code sits and, by their values, in which digit; the value of each code is read off products, and the
//! scale is found as the bytes that hold no codes and yet move products.

use qk256::format::{Digit, Format, QK256, ShapeError, Slot, Storage, Weights};
use thiserror::Error;

use super::lut::{ALL_WEIGHTS, Lut, ScaleSite, ScaleWidth, SlotReading};
use crate::implementation::{Implementation, SideError};
use crate::tolerance::CODE_VALUE;

/// Byte values under which all digits of [`Digit::ALL`] read differently: each bit alone, all of them, and two that
/// tell base-3 digits of a kind apart.
const BYTE_VALUES: [u8; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 255, 86, 171];

/// Why nothing was derived.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The implementation gave no answer.
    #[error(transparent)]
    Side(#[from] SideError),
    /// The format cannot hold the shape of the probe.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Derives the meaning of `format`'s native flavour from `side`, starting from bytes that `writer` quantized: the side
/// itself, unless it cannot write.
///
/// # Errors
///
/// [`ProbeError::Side`] if the side does not serve the format or fails.
pub fn derive(
    side: &dyn Implementation,
    writer: &dyn Implementation,
    format: &Format,
) -> Result<Lut, ProbeError> {
    let storage = Storage::native(*format, format.layout.panel_rows(), QK256)?;
    side.defined_on(&storage)?;
    let probe = Probe {
        side,
        writer,
        storage,
    };
    let slots = probe.slots()?;
    let ones = writer.quantize(&storage, &vec![1.0; storage.rows() * QK256])?;
    let codebook = probe.codebook(&slots, &ones)?;
    let scale = probe.scale(&slots, &ones)?;
    Ok(Lut {
        slots,
        codebook,
        scale,
    })
}

/// Whether the answers to [`BYTE_VALUES`] tell codes apart as this digit does, whatever numbers stand for the codes.
fn is_read_by(digit: Digit, answers: &[i64; BYTE_VALUES.len()]) -> bool {
    let codes = BYTE_VALUES.map(|value| digit.read(value));
    let pairs = || (0..codes.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs().all(|(i, j)| (codes[i] == codes[j]) == (answers[i] == answers[j]))
}

struct Probe<'a> {
    side: &'a dyn Implementation,
    writer: &'a dyn Implementation,
    storage: Storage,
}

impl Probe<'_> {
    /// Finds the byte and the digit to which each weight of the first row answers.
    fn slots(&self) -> Result<Vec<SlotReading>, ProbeError> {
        let silence = self.dots(|_| 0)?;
        // A weight's byte is spelled bit by bit: it answers to the bytes whose number has the bit, or to the others.
        let mut bytes = vec![Some(0); QK256];
        let mut answers = vec![false; QK256];
        for bit in (0..usize::BITS).take_while(|bit| self.storage.bytes() >> bit > 0) {
            let with = self.dots(|byte| if byte >> bit & 1 == 1 { 255 } else { 0 })?;
            let without = self.dots(|byte| if byte >> bit & 1 == 0 { 255 } else { 0 })?;
            for weight in 0..QK256 {
                let (with, without) = (
                    with[weight] != silence[weight],
                    without[weight] != silence[weight],
                );
                answers[weight] |= with || without;
                bytes[weight] = match (with, without) {
                    (true, true) => None,
                    (with, _) => bytes[weight].map(|byte| byte | usize::from(with) << bit),
                };
            }
        }
        let mut read = vec![[0; BYTE_VALUES.len()]; QK256];
        for (i, value) in BYTE_VALUES.into_iter().enumerate() {
            for (read, dot) in read.iter_mut().zip(self.dots(|_| value)?) {
                read[i] = dot;
            }
        }
        let reading =
            |((byte, answers), read): ((Option<usize>, bool), [i64; BYTE_VALUES.len()])| match (
                byte,
                Digit::ALL.iter().find(|digit| is_read_by(**digit, &read)),
            ) {
                _ if !answers => SlotReading::Nowhere,
                (None, _) => SlotReading::Several,
                (Some(byte), Some(&digit)) => SlotReading::At(Slot { byte, digit }),
                (Some(byte), None) => SlotReading::UnknownDigit { byte },
            };
        Ok(bytes
            .into_iter()
            .zip(answers)
            .zip(read)
            .map(reading)
            .collect())
    }

    /// The integers of the first row with each one-hot activation, where byte `i` is `value(i)`.
    fn dots(&self, value: impl Fn(usize) -> u8) -> Result<Vec<i64>, ProbeError> {
        let rows = self.storage.rows();
        let bytes: Vec<u8> = (0..self.storage.bytes()).map(value).collect();
        let one_hot: Vec<i8> = (0..QK256 * QK256)
            .map(|i| i8::from(i / QK256 == i % QK256))
            .collect();
        let mut dots = vec![0; QK256 * rows];
        self.side
            .dots(&Weights::new(self.storage, &bytes)?, &one_hot, &mut dots)?;
        Ok(dots.into_iter().step_by(rows).collect())
    }

    /// The products of all rows with each one-hot activation, a column's rows together.
    fn products(&self, storage: Storage, bytes: &[u8]) -> Result<Vec<f32>, ProbeError> {
        let cols = storage.cols();
        let one_hot: Vec<f32> = (0..cols * cols)
            .map(|i| f32::from(u8::from(i / cols == i % cols)))
            .collect();
        let mut out = vec![0.0; cols * storage.rows()];
        self.side
            .products(&Weights::new(storage, bytes)?, &one_hot, 1, &mut out)?;
        Ok(out)
    }

    /// The value of each code, read off the products under the side's own bytes for scale 1.
    fn codebook(&self, slots: &[SlotReading], ones: &[u8]) -> Result<Vec<i8>, ProbeError> {
        let mut codebook = Vec::new();
        for code in 0..4 {
            let mut bytes = ones.to_vec();
            let mut placed = None;
            for (weight, slot) in slots.iter().enumerate() {
                let SlotReading::At(slot) = slot else {
                    continue;
                };
                let holds_code = |&value: &u8| slot.digit.read(value) == code;
                if let Some(value) = (0..=u8::MAX).find(holds_code) {
                    bytes[slot.byte] = value;
                    placed = Some(weight);
                }
            }
            // Bytes are shared: only the last weight written is sure to hold the code.
            let Some(weight) = placed else { continue };
            let product = self.products(self.storage, &bytes)?[weight * self.storage.rows()];
            codebook.push(nearest_integer(product));
        }
        Ok(codebook)
    }

    /// Finds the bytes that hold no codes and yet move products, and what they do to them.
    fn scale(&self, slots: &[SlotReading], ones: &[u8]) -> Result<ScaleSite, ProbeError> {
        let mut holds_codes = vec![false; ones.len()];
        // In a panel of several rows, the first row's bytes are those of all.
        for slot in slots {
            if let SlotReading::At(Slot { byte, .. }) | SlotReading::UnknownDigit { byte } = *slot {
                holds_codes[byte] = true;
            }
        }
        let base = self.products(self.storage, ones)?;
        let with = |at: usize, new: &[u8]| -> Result<Vec<f32>, ProbeError> {
            let mut bytes = ones.to_vec();
            bytes[at..][..new.len()].copy_from_slice(new);
            self.products(self.storage, &bytes)
        };
        let mut moving = Vec::new();
        for byte in (0..ones.len()).filter(|&byte| !holds_codes[byte]) {
            if with(byte, &[ones[byte] ^ 1])?
                .iter()
                .zip(&base)
                .any(|(a, b)| a.to_bits() != b.to_bits())
            {
                moving.push(byte);
            }
        }
        let Some(&offset) = moving.first() else {
            return Ok(ScaleSite::None);
        };
        let width = match moving
            .iter()
            .zip(offset..)
            .take_while(|(a, b)| **a == *b)
            .count()
        {
            2 => ScaleWidth::F16,
            4 => ScaleWidth::F32,
            _ => return Ok(ScaleSite::NoFactor { offset }),
        };
        for scale in [0.5, 3.25, -2.0] {
            let scaled = with(offset, &width.encode(scale))?;
            let is_factor = |(scaled, base): (&f32, &f32)| {
                let ratio = f64::from(*scaled) / f64::from(*base);
                (ratio - f64::from(scale)).abs() < CODE_VALUE
            };
            let mut moved = scaled
                .iter()
                .zip(&base)
                .filter(|(a, b)| a.to_bits() != b.to_bits())
                .peekable();
            if moved.peek().is_none() || !moved.all(is_factor) {
                return Ok(ScaleSite::NoFactor { offset });
            }
        }
        Ok(ScaleSite::Multiplies {
            offset,
            width,
            weights: self.reach(width)?,
        })
    }

    /// How many weights one scale reaches, tried on two panels of two blocks each.
    fn reach(&self, width: ScaleWidth) -> Result<usize, ProbeError> {
        let rows = 2 * self.storage.rows();
        let storage = Storage::native(*self.storage.format(), rows, 2 * QK256)?;
        let ones = self
            .writer
            .quantize(&storage, &vec![1.0; rows * 2 * QK256])?;
        let before = self.products(storage, &ones)?;
        let (one, two) = (width.encode(1.0), width.encode(2.0));
        // Wherever the bytes of 1.0 stand there may be a scale; the last such place that moves a product is one.
        for at in (0..=ones.len() - one.len()).rev() {
            if ones[at..].starts_with(&one) {
                let mut bytes = ones.clone();
                bytes[at..][..two.len()].copy_from_slice(&two);
                let after = self.products(storage, &bytes)?;
                let reached = before.iter().zip(&after).filter(|(a, b)| a != b).count();
                if reached > 0 {
                    let all = reached == before.len();
                    return Ok(if all { ALL_WEIGHTS } else { reached });
                }
            }
        }
        Ok(0)
    }
}

/// The nearest integer of an i8; anything farther than [`CODE_VALUE`] from one, or beyond, is `i8::MAX`, which no
/// codebook has.
fn nearest_integer(product: f32) -> i8 {
    let nearest = f64::from(product).round();
    let close = (f64::from(product) - nearest).abs() < CODE_VALUE && nearest.abs() < 100.0;
    if close { nearest as i8 } else { i8::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::KernelSide;

    #[test]
    fn byte_values_tell_all_digits_apart() {
        for digit in Digit::ALL {
            let answers = BYTE_VALUES.map(|value| i64::from(digit.read(value)) * 7 - 3);
            let matching: Vec<_> = Digit::ALL
                .iter()
                .filter(|d| is_read_by(**d, &answers))
                .collect();
            assert_eq!(matching, [digit]);
        }
    }

    #[test]
    fn every_kernel_is_what_its_format_declares() {
        for kernel in qk256::kernel::all()
            .iter()
            .filter(|k| k.availability().is_ok())
        {
            let side = KernelSide::new(kernel);
            let derived = derive(&side, &side, kernel.format()).unwrap();
            assert_eq!(
                derived,
                Lut::declared(kernel.format()).unwrap(),
                "{}",
                kernel.id()
            );
        }
    }
}
