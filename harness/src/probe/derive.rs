//! Derives the table of a format from a running implementation.
//!
//! Nothing is assumed about the layout. One-hot activations select a weight. The bytes that change its result are the
//! place of its code, and the effect of their values determines the digit. The value of each code is derived from
//! products. The scale is in the bytes that hold no codes and change products.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use qk256::format::{Digit, Format, QK256, ShapeError, Slot, Storage, Weights};
use thiserror::Error;

use super::lut::{Lut, ScaleSite, ScaleWidth, SlotReading};
use crate::implementation::{Implementation, ImplementationError};
use crate::tolerance::CODE_VALUE;

/// Byte values for which all digits of [`Digit::ALL`] read differently: each bit alone, all bits, and two values that
/// distinguish base-3 digits of a kind.
const BYTE_VALUES: [u8; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 255, 86, 171];

/// Why no table was derived.
#[derive(Debug, Clone, Error)]
pub enum ProbeError {
    /// The implementation returned an error.
    #[error(transparent)]
    Implementation(#[from] ImplementationError),
    /// The format cannot hold the shape of the probe.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Derives the table of `format`'s native storage variant from an implementation. The probes start from bytes that
/// `writer` quantized, which is the implementation itself unless it has no quantizer.
///
/// # Errors
///
/// [`ProbeError::Implementation`] if the implementation does not support the format or fails.
pub fn derive(
    implementation: &dyn Implementation,
    writer: &dyn Implementation,
    format: &Format,
) -> Result<Lut, ProbeError> {
    let storage = Storage::native(*format, format.layout.panel_rows(), QK256)?;
    implementation.defined_on(&storage)?;
    let probe = Probe {
        implementation,
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

/// The tables derived from an implementation, by format.
#[derive(Debug, Default)]
pub struct Luts(Mutex<BTreeMap<&'static str, DerivedLut>>);

/// A table, or the reason why there is none.
pub type DerivedLut = Arc<Result<Lut, ProbeError>>;

impl Luts {
    /// The table of a format. Derived from the implementation on the first request. All requests must name the same
    /// implementation.
    pub fn of(&self, implementation: &dyn Implementation, format: &'static Format) -> DerivedLut {
        // A panic leaves the map without the entry.
        let mut luts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let derive = || Arc::new(derive(implementation, implementation, format));
        Arc::clone(luts.entry(format.id).or_insert_with(derive))
    }
}

/// Whether the results for [`BYTE_VALUES`] distinguish the codes of this digit, whatever the values of the codes.
fn is_read_by(digit: Digit, answers: &[i64; BYTE_VALUES.len()]) -> bool {
    let codes = BYTE_VALUES.map(|value| digit.read(value));
    let pairs = || (0..codes.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    pairs().all(|(i, j)| (codes[i] == codes[j]) == (answers[i] == answers[j]))
}

struct Probe<'a> {
    implementation: &'a dyn Implementation,
    writer: &'a dyn Implementation,
    storage: Storage,
}

impl Probe<'_> {
    /// Finds the byte and the digit that hold each weight of the first row.
    fn slots(&self) -> Result<Vec<SlotReading>, ProbeError> {
        let silence = self.dots(|_| 0)?;
        // The index of a weight's byte is found bit by bit: the weight responds to the bytes whose index has the bit,
        // or to the others.
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

    /// The dots of the first row with each one-hot activation, if byte `i` is `value(i)`.
    fn dots(&self, value: impl Fn(usize) -> u8) -> Result<Vec<i64>, ProbeError> {
        let rows = self.storage.rows();
        let bytes: Vec<u8> = (0..self.storage.bytes()).map(value).collect();
        let one_hot: Vec<i8> = (0..QK256 * QK256)
            .map(|i| i8::from(i / QK256 == i % QK256))
            .collect();
        let mut dots = vec![0; QK256 * rows];
        self.implementation
            .dots(&Weights::new(self.storage, &bytes)?, &one_hot, &mut dots)?;
        Ok(dots.into_iter().step_by(rows).collect())
    }

    /// The products of all rows with each one-hot activation. The rows of a column are adjacent.
    fn products(&self, storage: Storage, bytes: &[u8]) -> Result<Vec<f32>, ProbeError> {
        let cols = storage.cols();
        let one_hot: Vec<f32> = (0..cols * cols)
            .map(|i| f32::from(u8::from(i / cols == i % cols)))
            .collect();
        let mut out = vec![0.0; cols * storage.rows()];
        self.implementation
            .products(&Weights::new(storage, bytes)?, &one_hot, 1, &mut out)?;
        Ok(out)
    }

    /// The value of each code, derived from products with the implementation's own bytes for scale 1.
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
            // Several weights share a byte, so only the last written weight is certain to hold the code.
            let Some(weight) = placed else { continue };
            let product = self.products(self.storage, &bytes)?[weight * self.storage.rows()];
            codebook.push(nearest_integer(product));
        }
        Ok(codebook)
    }

    /// Finds the bytes that hold no codes and change products, and how they change them.
    fn scale(&self, slots: &[SlotReading], ones: &[u8]) -> Result<ScaleSite, ProbeError> {
        let mut holds_codes = vec![false; ones.len()];
        // In a panel of several rows, all rows share the bytes of the first row.
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
            return Ok(ScaleSite::None {});
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

    /// Number of weights that a scale applies to, tested with two panels of two blocks each.
    fn reach(&self, width: ScaleWidth) -> Result<Option<usize>, ProbeError> {
        let rows = 2 * self.storage.rows();
        let storage = Storage::native(*self.storage.format(), rows, 2 * QK256)?;
        let ones = self
            .writer
            .quantize(&storage, &vec![1.0; rows * 2 * QK256])?;
        let before = self.products(storage, &ones)?;
        let (one, two) = (width.encode(1.0), width.encode(2.0));
        // Every place with the bytes of 1.0 may be a scale. The last such place that changes a product is one.
        for at in (0..=ones.len() - one.len()).rev() {
            if ones[at..].starts_with(&one) {
                let mut bytes = ones.clone();
                bytes[at..][..two.len()].copy_from_slice(&two);
                let after = self.products(storage, &bytes)?;
                let reached = before.iter().zip(&after).filter(|(a, b)| a != b).count();
                if reached > 0 {
                    let all = reached == before.len();
                    return Ok((!all).then_some(reached));
                }
            }
        }
        Ok(Some(0))
    }
}

/// The nearest i8. Numbers farther than [`CODE_VALUE`] from an integer or out of range give `i8::MAX`, which is in no
/// codebook.
fn nearest_integer(product: f32) -> i8 {
    let nearest = f64::from(product).round();
    let close = (f64::from(product) - nearest).abs() < CODE_VALUE && nearest.abs() < 100.0;
    if close { nearest as i8 } else { i8::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::participant::KernelImplementation;

    #[test]
    fn byte_values_distinguish_all_digits() {
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
    fn every_kernel_matches_the_declaration_of_its_format() {
        for kernel in qk256::kernel::all()
            .iter()
            .filter(|k| k.availability().is_ok())
        {
            let implementation = KernelImplementation::new(kernel);
            let derived = derive(&implementation, &implementation, kernel.format()).unwrap();
            assert_eq!(
                derived,
                Lut::declared(kernel.format()).unwrap(),
                "{}",
                kernel.id()
            );
        }
    }
}
