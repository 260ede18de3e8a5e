//! Conversion from f16 to f32 without a CPU instruction.

/// Converts a little-endian f16 to f32 without branches. The conversion in `half` detects CPU features at every call.
#[inline(always)]
pub(super) fn half_to_f32(bytes: [u8; 2]) -> f32 {
    const INFINITY: u32 = 0x7c00;
    /// 2^112: the difference of the exponent biases of f32 and f16 is 112.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    const QUIET: u32 = 1 << 22;
    let half = u32::from(u16::from_le_bytes(bytes));
    let magnitude = half & 0x7fff;
    let finite = f32::from_bits(magnitude << 13) * REBIAS;
    let exponent = if magnitude >= INFINITY {
        f32::INFINITY.to_bits()
    } else {
        0
    };
    let quiet = if magnitude > INFINITY { QUIET } else { 0 };
    f32::from_bits(finite.to_bits() | exponent | quiet | (half >> 15) << 31)
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn every_f16_converts_as_half_does() {
        for bits in 0..=u16::MAX {
            let wanted = f16::from_bits(bits).to_f32();
            assert_eq!(
                half_to_f32(bits.to_le_bytes()).to_bits(),
                wanted.to_bits(),
                "{bits:#06x}"
            );
        }
    }
}
