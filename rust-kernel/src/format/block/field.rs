//! The position of numbers in a block, as strides in bits.

/// A run of bits of every number of a [`Field`].
///
/// The bits of number `n` start at bit `start`, plus a multiple of a stride for each digit of `n`. The digits of `n` have
/// mixed bases: the first step has the lowest digit. Bit `i` of a block is bit `i % 8` of byte `i / 8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    start: usize,
    width: u32,
    steps: &'static [Step],
}

/// A digit of the index of a number: its base, and the distance in bits between neighbouring digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    count: usize,
    bits: usize,
}

/// `count` numbers at a distance of `bits`.
pub(super) const fn step(count: usize, bits: usize) -> Step {
    Step { count, bits }
}

/// A run of `width` bits that starts `start` bits after the start of the block.
pub(super) const fn part(start: usize, width: u32, steps: &'static [Step]) -> Part {
    Part {
        start,
        width,
        steps,
    }
}

impl Part {
    /// The first bit of number `n`.
    const fn bit(&self, n: usize) -> usize {
        let (mut bit, mut rest, mut i) = (self.start, n, 0);
        while i < self.steps.len() {
            bit += rest % self.steps[i].count * self.steps[i].bits;
            rest /= self.steps[i].count;
            i += 1;
        }
        bit
    }

    const fn mask(&self) -> u32 {
        (1 << self.width) - 1
    }

    const fn count(&self) -> usize {
        let (mut count, mut i) = (1, 0);
        while i < self.steps.len() {
            count *= self.steps[i].count;
            i += 1;
        }
        count
    }
}

/// Unsigned numbers in a block, such as the codes of its weights. A number consists of the bits of all parts, those of
/// the first part lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    parts: &'static [Part],
}

impl Field {
    pub(super) const fn new(parts: &'static [Part]) -> Field {
        Field { parts }
    }

    /// Number of numbers.
    pub const fn count(&self) -> usize {
        self.parts[0].count()
    }

    /// Bits of a number.
    pub const fn width(&self) -> u32 {
        let (mut width, mut i) = (0, 0);
        while i < self.parts.len() {
            width += self.parts[i].width;
            i += 1;
        }
        width
    }

    /// The bits of number `n` as indices of bits of the block, the lowest first.
    pub fn bits(&self, n: usize) -> impl Iterator<Item = usize> + use<> {
        let of_part = move |part: &Part| part.bit(n)..part.bit(n) + part.width as usize;
        self.parts.iter().flat_map(of_part)
    }

    /// Number `n`.
    ///
    /// # Panics
    ///
    /// If the block is too short.
    pub fn read(&self, block: &[u8], n: usize) -> u32 {
        let (mut number, mut width) = (0, 0);
        for part in self.parts {
            number |= read_bits(block, part.bit(n), part.mask()) << width;
            width += part.width;
        }
        number
    }

    /// Sets number `n`. Higher bits of `number` than the field has are ignored.
    ///
    /// # Panics
    ///
    /// If the block is too short.
    pub fn write(&self, block: &mut [u8], n: usize, number: u32) {
        for (i, bit) in self.bits(n).enumerate() {
            let byte = &mut block[bit / 8];
            *byte = *byte & !(1 << (bit % 8)) | ((number >> i & 1) as u8) << (bit % 8);
        }
    }

    /// The first `out.len()` numbers, of at most 8 bits.
    ///
    /// Neighbouring numbers that are one byte apart are read together, which compilers vectorize.
    #[inline(always)]
    pub(crate) fn read_all(&self, block: &[u8], out: &mut [u8]) {
        let mut width = 0;
        for part in self.parts {
            let run = match part.steps {
                [Step { count, bits: 8 }, ..] => *count,
                _ => 1,
            };
            for (i, out) in out.chunks_mut(run).enumerate() {
                let bit = part.bit(i * run);
                if bit % 8 + part.width as usize > 8 {
                    for (n, out) in out.iter_mut().enumerate() {
                        let bits = read_bits(block, part.bit(i * run + n), part.mask());
                        *out = if width == 0 { 0 } else { *out } | (bits << width) as u8;
                    }
                    continue;
                }
                let (byte, shift, mask) = (bit / 8, bit % 8, part.mask() as u8);
                for (out, byte) in out.iter_mut().zip(&block[byte..]) {
                    let bits = (byte >> shift & mask) << width;
                    *out = if width == 0 { bits } else { *out | bits };
                }
            }
            width += part.width;
        }
    }
}

/// Up to 24 bits from `bit` on.
fn read_bits(block: &[u8], bit: usize, mask: u32) -> u32 {
    let byte = |i: usize| u32::from(block.get(bit / 8 + i).copied().unwrap_or(0)) << (8 * i);
    (byte(0) | byte(1) | byte(2)) >> (bit % 8) & mask
}
