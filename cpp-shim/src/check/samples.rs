//! Hand-made blocks of weights that are all equal, for each type that has a definition outside of a fork.

/// Bytes, and how often they are repeated.
pub(super) type Run = (&'static [u8], usize);

/// Equal weights.
pub(super) struct Weights {
    /// The value of each weight.
    pub(super) value: f32,
    /// The bytes of one block.
    pub(super) block: &'static [Run],
}

/// Two rows of a type, each of equal blocks: one of positive weights, then one of negative ones.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) rows: [Weights; 2],
    /// The bytes of a tensor after its blocks.
    pub(super) tail: &'static [Run],
}

/// Blocks of +1, then of -1.
const fn ones(name: &'static str, plus: &'static [Run], minus: &'static [Run]) -> Sample {
    sample(name, (1.0, plus), (-1.0, minus))
}

const fn sample(
    name: &'static str,
    plus: (f32, &'static [Run]),
    minus: (f32, &'static [Run]),
) -> Sample {
    Sample {
        name,
        rows: [
            Weights {
                value: plus.0,
                block: plus.1,
            },
            Weights {
                value: minus.0,
                block: minus.1,
            },
        ],
        tail: &[],
    }
}

/// The f16 number one.
const ONE: Run = (&[0x00, 0x3C], 1);
/// The f16 number minus one.
const MINUS_ONE: Run = (&[0x00, 0xBC], 1);
/// The f16 number minus 16.
const MINUS_16: Run = (&[0x00, 0xCC], 1);

/// 12 bytes of eight 6-bit scales and eight 6-bit minimums of Q4_K: all are one.
const SCALES_1_1: [Run; 2] = [(&[0x01], 8), (&[0x11], 4)];

/// The layouts are those of `ggml-common.h`, the values those of `dequantize_row_*` in `ggml-quants.c`, llama.cpp of
/// 2026. `d` and `dmin` are f16 numbers.
pub(super) const SAMPLES: &[Sample] = &[
    ones(
        "f32",
        &[(&[0x00, 0x00, 0x80, 0x3F], 1)],
        &[(&[0x00, 0x00, 0x80, 0xBF], 1)],
    ),
    ones("f16", &[ONE], &[MINUS_ONE]),
    ones("bf16", &[(&[0x80, 0x3F], 1)], &[(&[0x80, 0xBF], 1)]),
    // Sign, 4 bits of exponent with bias 7, 3 bits of mantissa.
    ones("f8_e4m3", &[(&[0x38], 1)], &[(&[0xB8], 1)]),
    // Codes 0, 1, 2 for -1, 0, +1. The scale of the tensor is one.
    Sample {
        tail: &[(&[0x00, 0x00, 0x80, 0x3F], 1), (&[0], 28)],
        ..ones("i2_s", &[(&[0xAA], 32)], &[(&[0x00], 32)])
    },
    // d at the end; codes 0, 1, 2 for -1, 0, +1.
    ones("tq2_0", &[(&[0xAA], 64), ONE], &[(&[0x00], 64), ONE]),
    // d at the end; digits 0, 1, 2 for -1, 0, +1. Five digits 2 are 242/243 in 256ths, four are 240/243, rounded up.
    ones(
        "tq1_0",
        &[(&[255], 48), (&[253], 4), ONE],
        &[(&[0], 52), ONE],
    ),
    // d; bits 0 and 1 for -1 and +1.
    ones("q1_0", &[ONE, (&[0xFF], 16)], &[ONE, (&[0x00], 16)]),
    // d; code - 1.
    ones("q2_0", &[ONE, (&[0xAA], 16)], &[ONE, (&[0x00], 16)]),
    // d; code - 8.
    ones("q4_0", &[ONE, (&[0x99], 16)], &[ONE, (&[0x77], 16)]),
    // d, minimum -1; code + minimum.
    ones(
        "q4_1",
        &[ONE, MINUS_ONE, (&[0x22], 16)],
        &[ONE, MINUS_ONE, (&[0x00], 16)],
    ),
    // d, fifth bits, low bits; code - 16.
    ones(
        "q5_0",
        &[ONE, (&[0xFF], 4), (&[0x11], 16)],
        &[ONE, (&[0x00], 4), (&[0xFF], 16)],
    ),
    // d, minimum -16, fifth bits, low bits; code + minimum.
    ones(
        "q5_1",
        &[ONE, MINUS_16, (&[0xFF], 4), (&[0x11], 16)],
        &[ONE, MINUS_16, (&[0x00], 4), (&[0xFF], 16)],
    ),
    // d; code.
    ones("q8_0", &[ONE, (&[1], 32)], &[ONE, (&[0xFF], 32)]),
    // Exponent 128 of the scale 2^(128-128); code 1 is 1, code 9 is -1.
    ones(
        "mxfp4",
        &[(&[128], 1), (&[0x11], 16)],
        &[(&[128], 1), (&[0x99], 16)],
    ),
    // Four scales 2^(8-7)/2, with the exponent 8 in bits 3 to 6; codes as mxfp4.
    ones(
        "nvfp4",
        &[(&[0x40], 4), (&[0x11], 32)],
        &[(&[0x40], 4), (&[0x99], 32)],
    ),
    // Scales 1 and minimums 1 in four bits each, low bits, d, dmin; scale * code - minimum.
    ones(
        "q2_K",
        &[(&[0x11], 16), (&[0xAA], 64), ONE, ONE],
        &[(&[0x11], 16), (&[0x00], 64), ONE, ONE],
    ),
    // High bits, low bits, scales 33 - 32 (six bits: eight bytes of low nibbles, four of upper bits), d; scale * code,
    // where the code is -4 without its high bit.
    ones(
        "q3_K",
        &[
            (&[0xFF], 32),
            (&[0x55], 64),
            (&[0x11], 8),
            (&[0xAA], 4),
            ONE,
        ],
        &[
            (&[0x00], 32),
            (&[0xFF], 64),
            (&[0x11], 8),
            (&[0xAA], 4),
            ONE,
        ],
    ),
    // d, dmin, scales 1 and minimums 1, codes; scale * code - minimum.
    ones(
        "q4_K",
        &[ONE, ONE, SCALES_1_1[0], SCALES_1_1[1], (&[0x22], 128)],
        &[ONE, ONE, SCALES_1_1[0], SCALES_1_1[1], (&[0x00], 128)],
    ),
    // As q4_K, with scales 1, minimums 16 (their upper bits are in the upper bits of bytes 4 to 7) and fifth bits.
    ones(
        "q5_K",
        &[
            ONE,
            ONE,
            (&[0x01], 4),
            (&[0x50], 4),
            (&[0x01], 4),
            (&[0xFF], 32),
            (&[0x11], 128),
        ],
        &[
            ONE,
            ONE,
            (&[0x01], 4),
            (&[0x50], 4),
            (&[0x01], 4),
            (&[0x00], 32),
            (&[0xFF], 128),
        ],
    ),
    // Low bits, upper two bits, scales 1, d; scale * (code - 32).
    ones(
        "q6_K",
        &[(&[0x11], 128), (&[0xAA], 64), (&[1], 16), ONE],
        &[(&[0xFF], 128), (&[0x55], 64), (&[1], 16), ONE],
    ),
    // d, low bits of the grid's index, then for four indices their upper 3 bits, the scale 2*0 + 1 and the sign of
    // 1/8, which is added. The last of 2048 grid entries is +1, the first is -1.
    sample(
        "iq1_s",
        (1.125, &[ONE, (&[0xFF], 32), (&[0xFF, 0x0F], 8)]),
        (-1.125, &[ONE, (&[0x00], 32), (&[0x00, 0x80], 8)]),
    ),
    // As iq1_s with two indices per byte of upper bits and signs; scales 2*0 + 1, with four bits of d in the top of each.
    sample(
        "iq1_m",
        (1.125, &[(&[0xFF], 32), (&[0x77], 16), IQ1_M_ONE]),
        (-1.125, &[(&[0x00], 32), (&[0x88], 16), IQ1_M_ONE]),
    ),
    // d, then for 32 weights four indices of the grid, 28 bits of signs and the scale (1/2 + 0)/4. The first grid entry
    // is 8.
    ones(
        "iq2_xxs",
        &[ONE, (&[0], 64)],
        &[ONE, (&[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x0F], 8)],
    ),
    // d, then 9 bits of an index and 7 of signs for 8 weights, scales as iq2_xxs.
    ones(
        "iq2_xs",
        &[ONE, (&[0], 64), (&[0], 8)],
        &[ONE, (&[0x00, 0xFE], 32), (&[0], 8)],
    ),
    // d, low bits of indices, signs, upper bits of indices, scales as iq2_xxs.
    ones(
        "iq2_s",
        &[ONE, (&[0], 32), (&[0x00], 32), (&[0], 8), (&[0], 8)],
        &[ONE, (&[0], 32), (&[0xFF], 32), (&[0], 8), (&[0], 8)],
    ),
    // d, indices, then 28 bits of signs and the scale (1/2 + 0)/2 for 32 weights. The first grid entry is 4.
    ones(
        "iq3_xxs",
        &[ONE, (&[0], 64), (&[0], 32)],
        &[ONE, (&[0], 64), (&[0xFF, 0xFF, 0xFF, 0x0F], 8)],
    ),
    // d, low and upper bits of indices, signs, scales 1 + 2*0. The first grid entry is 1.
    ones(
        "iq3_s",
        &[ONE, (&[0], 64), (&[0], 8), (&[0x00], 32), (&[0], 4)],
        &[ONE, (&[0], 64), (&[0], 8), (&[0xFF], 32), (&[0], 4)],
    ),
    // d; code 8 is 1, code 7 is -10, and no code is -1.
    sample(
        "iq4_nl",
        (1.0, &[ONE, (&[0x88], 16)]),
        (-10.0, &[ONE, (&[0x77], 16)]),
    ),
    // d, upper two bits and lower four bits of the scales 33 - 32, codes as iq4_nl.
    sample(
        "iq4_xs",
        (1.0, &[ONE, (&[0xAA], 2), (&[0x11], 4), (&[0x88], 128)]),
        (-10.0, &[ONE, (&[0xAA], 2), (&[0x11], 4), (&[0x77], 128)]),
    ),
];

/// The scales of iq1_m, 16 bits of which the upper four are part of d, which is one: 0x3C00, its low bits first.
const IQ1_M_ONE: Run = (&[0x00, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x30], 1);

/// The bytes of runs.
pub(super) fn bytes(runs: &[Run]) -> Vec<u8> {
    runs.iter()
        .flat_map(|(bytes, times)| bytes.repeat(*times))
        .collect()
}

/// The sample of a type.
pub(super) fn named(name: &str) -> Option<&'static Sample> {
    SAMPLES
        .iter()
        .find(|sample| sample.name.eq_ignore_ascii_case(name))
}
