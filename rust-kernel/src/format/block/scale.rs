//! Floats in a block.

use half::f16;

use super::Field;

/// Floats in a block, one for each run of weights.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The bits of the floats.
    pub field: Field,
    /// The type of the floats.
    pub encoding: Encoding,
    /// Weights that share one.
    pub run: usize,
}

/// The type of a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// IEEE half precision.
    F16,
    /// Half of the E8M0 float of the OCP microscaling formats: 8 bits of exponent, `2^(e - 128)`. All 256 numbers are
    /// finite here.
    E8M0Half,
    /// Half of an E4M3 float without a sign: 4 bits of exponent, 3 of mantissa. The bit of the sign is ignored, and 127
    /// is zero.
    E4M3Half,
}

impl Encoding {
    /// Bits of a float.
    pub const fn width(self) -> u32 {
        match self {
            Encoding::F16 => 16,
            Encoding::E8M0Half | Encoding::E4M3Half => 8,
        }
    }

    /// Stable name, used in tables and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::F16 => "f16",
            Encoding::E8M0Half => "e8m0/2",
            Encoding::E4M3Half => "ue4m3/2",
        }
    }

    /// The value of the bits. Source: `ggml_fp16_to_fp32`, `ggml_e8m0_to_fp32_half` and `ggml_ue4m3_to_fp32` in
    /// `ggml-impl.h` of `llama-cpp-sys-4` 0.11.0.
    pub fn value(self, bits: u32) -> f32 {
        match self {
            Encoding::F16 => f16::from_bits(bits as u16).to_f32(),
            // 2^-128 and 2^-127 are subnormal.
            Encoding::E8M0Half if bits < 2 => f32::from_bits(0x0020_0000 << bits),
            Encoding::E8M0Half => f32::from_bits((bits - 1) << 23),
            Encoding::E4M3Half => {
                let (exponent, mantissa) = (bits >> 3 & 15, bits & 7);
                let power = |exponent: i32| f32::from_bits(((exponent + 127) as u32) << 23);
                match (exponent, mantissa) {
                    _ if bits == 0x7f => 0.0,
                    (0, _) => mantissa as f32 * power(-10),
                    _ => (8 + mantissa) as f32 * power(exponent as i32 - 11),
                }
            }
        }
    }
}

impl Scale {
    /// The scale of weight `weight` of the block.
    pub fn get(&self, block: &[u8], weight: usize) -> f32 {
        self.encoding
            .value(self.field.read(block, weight / self.run))
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding::{E4M3Half, E8M0Half, F16};

    #[test]
    fn floats_by_hand() {
        assert_eq!(F16.value(0x3c00), 1.0);
        assert_eq!(E8M0Half.value(128), 1.0);
        assert_eq!(E8M0Half.value(127), 0.5);
        assert_eq!(E8M0Half.value(0), 2f32.powi(-128));
        assert_eq!(E8M0Half.value(1), 2f32.powi(-127));
        assert_eq!(E8M0Half.value(255), 2f32.powi(127));
        assert_eq!(E4M3Half.value(7 << 3), 0.5);
        assert_eq!(E4M3Half.value(8 << 3 | 4), 1.5);
        assert_eq!(E4M3Half.value(1), 2f32.powi(-10));
        assert_eq!(E4M3Half.value(0), 0.0);
        assert_eq!(E4M3Half.value(0x7f), 0.0);
        assert_eq!(E4M3Half.value(0xff), 240.0);
    }
}
