//! The mapping from codes to values.

/// The value of each 2-bit code, before scaling.
///
/// Kernels multiply *raw* numbers, with `value = raw - offset`. For the ternary formats the raw number is the code
/// itself. The kernel then multiplies unsigned codes, and the caller subtracts the sum of the activations once per row,
/// as ggml does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codebook {
    raw: [i8; 4],
    offset: i8,
}

impl Codebook {
    /// Codes 0, 1, 2 are -1, 0, +1. Quantizers never write code 3; arithmetic treats it as +2.
    pub const TERNARY: Codebook = Codebook {
        raw: [0, 1, 2, 3],
        offset: 1,
    };
    /// Codes 0 to 3 are -2, -1, +1, +2: no zero.
    pub const SYMMETRIC: Codebook = Codebook {
        raw: [-2, -1, 1, 2],
        offset: 0,
    };

    /// The values of codes 0 to 3.
    pub const fn values(self) -> [i8; 4] {
        let [a, b, c, d] = self.raw;
        [
            a - self.offset,
            b - self.offset,
            c - self.offset,
            d - self.offset,
        ]
    }

    /// The value of one code. Only the two lowest bits are used.
    pub const fn value(self, code: u8) -> i8 {
        self.raw(code) - self.offset
    }

    /// The raw number of one code. Only the two lowest bits are used.
    pub const fn raw(self, code: u8) -> i8 {
        self.raw[(code & 3) as usize]
    }

    /// The difference between raw numbers and values: `value = raw - offset`.
    pub const fn offset(self) -> i8 {
        self.offset
    }

    /// The code of a value, if the codebook has one.
    pub fn code(self, value: i8) -> Option<u8> {
        (0..4).find(|&code| self.value(code) == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codebooks_map_codes_to_values() {
        assert_eq!(Codebook::TERNARY.values(), [-1, 0, 1, 2]);
        assert_eq!(Codebook::SYMMETRIC.values(), [-2, -1, 1, 2]);
        assert_eq!(Codebook::TERNARY.code(0), Some(1));
        assert_eq!(Codebook::SYMMETRIC.code(0), None);
    }
}
