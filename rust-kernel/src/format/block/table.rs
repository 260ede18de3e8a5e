//! The block formats of ggml.
//!
//! Source: the `block_*` structures in `ggml-common.h`, and `dequantize_row_*` in `ggml-quants.c`, of `llama-cpp-sys-4`
//! 0.11.0. Positions are in bits.

use super::field::{Part, Step, part, step};
use super::{
    BlockFormat, Encoding, Field, Grid, Meaning, Minimum, Multiplier, Order, Quants, Scale, Shift,
    SubScales, grids,
};
use crate::format::{ActivationKind, QK256};
use crate::gguf::GgmlType;

/// Weights in a block of the types without sub-scales.
const QK32: usize = 32;

/// The quants of IQ4_NL and IQ4_XS: `kvalues_iq4nl`.
static IQ4_LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// Twice the E2M1 floats: `kvalues_fp4`.
static FP4_LEVELS: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Bytes with the codes of weights 0 to 15 in the low half and 16 to 31 in the high half.
const NIBBLES: &[Step] = &[step(16, 8), step(2, 4)];
/// 32 bytes with the codes of weights 0 to 31 in the lowest bits, 32 to 63 in the next, and so on, twice.
const QUARTERS: &[Step] = &[step(32, 8), step(4, 2), step(2, 256)];
/// 32 bytes with the codes of weights 0 to 31 in the low half and 32 to 63 in the high half, four times.
const HALVES: &[Step] = &[step(32, 8), step(2, 4), step(4, 256)];
/// 32 bytes with a bit of weights 0 to 31 in bit 0, of 32 to 63 in bit 1, and so on.
const PLANES: &[Step] = &[step(32, 8), step(8, 1)];

/// An f16 at this bit for the whole block.
const fn f16_at(field: Field, weights: usize) -> Scale {
    Scale {
        field,
        encoding: Encoding::F16,
        run: weights,
    }
}

macro_rules! field {
    ($(($start:expr, $width:expr, $steps:expr)),+ $(,)?) => {
{
            const PARTS: &[Part] = &[$(part($start, $width, $steps)),+];
            Field::new(PARTS)
        }
    };
}

/// A format with blocks of 32 weights and a code for each.
const fn small(
    name: &'static str,
    ggml_type: GgmlType,
    bytes: usize,
    field: Field,
    meaning: Meaning,
) -> BlockFormat {
    BlockFormat {
        name,
        ggml_type,
        weights: QK32,
        bytes,
        activation: ActivationKind::Q8_0,
        scale: f16_at(field!((0, 16, &[])), QK32),
        unit: 1.0,
        quants: Quants::Codes { field, meaning },
        sub_scales: None,
        minimum: None,
        shift: None,
        order: Order::Lanes,
    }
}

/// A format of 256 weights with a code for each, and sub-scales.
const fn super_block(
    name: &'static str,
    ggml_type: GgmlType,
    bytes: usize,
    scale: Field,
    codes: (Field, Meaning),
    sub_scales: SubScales,
) -> BlockFormat {
    BlockFormat {
        name,
        ggml_type,
        weights: QK256,
        bytes,
        activation: ActivationKind::Q8K,
        scale: f16_at(scale, QK256),
        unit: 1.0,
        quants: Quants::Codes {
            field: codes.0,
            meaning: codes.1,
        },
        sub_scales: Some(sub_scales),
        minimum: None,
        shift: None,
        order: Order::Lanes,
    }
}

/// A format of 256 weights with a grid, an f16 scale in its first bytes, and odd sub-scales.
const fn gridded(
    name: &'static str,
    ggml_type: GgmlType,
    bytes: usize,
    unit: f32,
    quants: Quants,
    sub_scales: (Field, usize),
) -> BlockFormat {
    let sub_scales = SubScales {
        field: sub_scales.0,
        run: sub_scales.1,
        meaning: Multiplier::Odd,
    };
    let empty = (field!((0, 8, &[])), Meaning::Signed);
    let format = super_block(
        name,
        ggml_type,
        bytes,
        field!((0, 16, &[])),
        empty,
        sub_scales,
    );
    BlockFormat {
        unit,
        quants,
        ..format
    }
}

const fn signed_grid(index: Field, grid: Grid, signs: Field) -> Quants {
    Quants::Grid {
        index,
        grid,
        signs: Some(signs),
    }
}

const fn runs(field: Field, run: usize, meaning: Multiplier) -> SubScales {
    SubScales {
        field,
        run,
        meaning,
    }
}

/// The 6-bit sub-scales of Q4_K and Q5_K. The first four are in the low six bits of four bytes. The others have their
/// low bits four bytes after the minimums of the first four, and their high bits in the highest two bits of the first
/// bytes.
const K4_SCALES: Field = field!(
    (32, 4, &[step(4, 8), step(2, 64)]),
    (36, 2, &[step(4, 8), step(2, 2)]),
);
/// The 6-bit minimums of Q4_K and Q5_K, in the four bytes after those of the sub-scales.
const K4_MINIMUMS: Field = field!(
    (64, 4, &[step(4, 8), step(2, 36)]),
    (68, 2, &[step(4, 8), step(2, 2)]),
);

const fn with_minimum(
    format: BlockFormat,
    scale: Field,
    field: Option<Field>,
    run: usize,
    order: Order,
) -> BlockFormat {
    BlockFormat {
        minimum: Some(Minimum {
            scale: f16_at(scale, format.weights),
            field,
            run,
            added: field.is_none(),
        }),
        order,
        ..format
    }
}

const Q1_0: BlockFormat = BlockFormat {
    weights: 128,
    scale: f16_at(field!((0, 16, &[])), 128),
    order: Order::Nested,
    ..small(
        "q1_0",
        GgmlType::Q1_0,
        18,
        field!((16, 1, &[step(128, 1)])),
        Meaning::Table(&[-1, 1]),
    )
};

const Q2_0: BlockFormat = BlockFormat {
    weights: 64,
    scale: f16_at(field!((0, 16, &[])), 64),
    order: Order::Alternating,
    ..small(
        "q2_0",
        GgmlType::Q2_0,
        18,
        field!((16, 2, &[step(64, 2)])),
        Meaning::Minus(1),
    )
};

const Q4_0: BlockFormat = small(
    "q4_0",
    GgmlType::Q4_0,
    18,
    field!((16, 4, NIBBLES)),
    Meaning::Minus(8),
);

const Q4_1: BlockFormat = BlockFormat {
    activation: ActivationKind::Q8_1,
    ..with_minimum(
        small(
            "q4_1",
            GgmlType::Q4_1,
            20,
            field!((32, 4, NIBBLES)),
            Meaning::Minus(0),
        ),
        field!((16, 16, &[])),
        None,
        QK32,
        Order::MinimumsAlone,
    )
};

const Q5_0: BlockFormat = small(
    "q5_0",
    GgmlType::Q5_0,
    22,
    field!((48, 4, NIBBLES), (16, 1, &[step(32, 1)])),
    Meaning::Minus(16),
);

const Q5_1: BlockFormat = BlockFormat {
    activation: ActivationKind::Q8_1,
    ..with_minimum(
        small(
            "q5_1",
            GgmlType::Q5_1,
            24,
            field!((64, 4, NIBBLES), (32, 1, &[step(32, 1)])),
            Meaning::Minus(0),
        ),
        field!((16, 16, &[])),
        None,
        QK32,
        Order::MinimumsAlone,
    )
};

const Q8_0: BlockFormat = small(
    "q8_0",
    GgmlType::Q8_0,
    34,
    field!((16, 8, &[step(32, 8)])),
    Meaning::Signed,
);

const IQ4_NL: BlockFormat = BlockFormat {
    order: Order::Pairs,
    ..small(
        "iq4_nl",
        GgmlType::IQ4_NL,
        18,
        field!((16, 4, NIBBLES)),
        Meaning::Table(&IQ4_LEVELS),
    )
};

const MXFP4: BlockFormat = BlockFormat {
    scale: Scale {
        field: field!((0, 8, &[])),
        encoding: Encoding::E8M0Half,
        run: QK32,
    },
    order: Order::Pairs,
    ..small(
        "mxfp4",
        GgmlType::MXFP4,
        17,
        field!((8, 4, NIBBLES)),
        Meaning::Table(&FP4_LEVELS),
    )
};

const NVFP4: BlockFormat = BlockFormat {
    weights: 64,
    scale: Scale {
        field: field!((0, 8, &[step(4, 8)])),
        encoding: Encoding::E4M3Half,
        run: 16,
    },
    ..small(
        "nvfp4",
        GgmlType::NVFP4,
        36,
        field!((32, 4, &[step(8, 8), step(2, 4), step(4, 64)])),
        Meaning::Table(&FP4_LEVELS),
    )
};

const Q2_K: BlockFormat = with_minimum(
    super_block(
        "q2_K",
        GgmlType::Q2_K,
        84,
        field!((640, 16, &[])),
        (field!((128, 2, QUARTERS)), Meaning::Minus(0)),
        runs(field!((0, 4, &[step(16, 8)])), 16, Multiplier::Minus(0)),
    ),
    field!((656, 16, &[])),
    Some(field!((4, 4, &[step(16, 8)]))),
    16,
    Order::MinimumsInLanes,
);

const Q3_K: BlockFormat = super_block(
    "q3_K",
    GgmlType::Q3_K,
    110,
    field!((864, 16, &[])),
    (
        field!((256, 2, QUARTERS), (0, 1, PLANES)),
        Meaning::Minus(4),
    ),
    runs(
        field!(
            (768, 4, &[step(8, 8), step(2, 4)]),
            (832, 2, &[step(4, 8), step(4, 2)]),
        ),
        16,
        Multiplier::Minus(32),
    ),
);

const Q4_K: BlockFormat = with_minimum(
    super_block(
        "q4_K",
        GgmlType::Q4_K,
        144,
        field!((0, 16, &[])),
        (field!((128, 4, HALVES)), Meaning::Minus(0)),
        runs(K4_SCALES, 32, Multiplier::Minus(0)),
    ),
    field!((16, 16, &[])),
    Some(K4_MINIMUMS),
    32,
    Order::MinimumsInFour,
);

const Q5_K: BlockFormat = with_minimum(
    super_block(
        "q5_K",
        GgmlType::Q5_K,
        176,
        field!((0, 16, &[])),
        (
            field!((384, 4, HALVES), (128, 1, PLANES)),
            Meaning::Minus(0),
        ),
        runs(K4_SCALES, 32, Multiplier::Minus(0)),
    ),
    field!((16, 16, &[])),
    Some(K4_MINIMUMS),
    32,
    Order::MinimumsAlone,
);

const Q6_K: BlockFormat = BlockFormat {
    order: Order::OffsetOfRuns,
    ..super_block(
        "q6_K",
        GgmlType::Q6_K,
        210,
        field!((1664, 16, &[])),
        (
            field!(
                (0, 4, &[step(32, 8), step(2, 256), step(2, 4), step(2, 512)]),
                (1024, 2, QUARTERS),
            ),
            Meaning::Minus(32),
        ),
        runs(field!((1536, 8, &[step(16, 8)])), 16, Multiplier::Signed),
    )
};

const IQ4_XS: BlockFormat = super_block(
    "iq4_xs",
    GgmlType::IQ4_XS,
    136,
    field!((0, 16, &[])),
    (
        field!((64, 4, &[step(16, 8), step(2, 4), step(8, 128)])),
        Meaning::Table(&IQ4_LEVELS),
    ),
    runs(
        field!((32, 4, &[step(8, 4)]), (16, 2, &[step(8, 2)])),
        32,
        Multiplier::Minus(32),
    ),
);

const IQ2_XXS: BlockFormat = gridded(
    "iq2_xxs",
    GgmlType::IQ2_XXS,
    66,
    0.125,
    signed_grid(
        field!((16, 8, &[step(4, 8), step(8, 64)])),
        Grid::Eight(&grids::IQ2_XXS),
        field!((48, 7, &[step(4, 7), step(8, 64)])),
    ),
    (field!((76, 4, &[step(8, 64)])), 32),
);

const IQ2_XS: BlockFormat = gridded(
    "iq2_xs",
    GgmlType::IQ2_XS,
    74,
    0.125,
    signed_grid(
        field!((16, 9, &[step(32, 16)])),
        Grid::Eight(&grids::IQ2_XS),
        field!((25, 7, &[step(32, 16)])),
    ),
    (field!((528, 4, &[step(16, 4)])), 16),
);

const IQ2_S: BlockFormat = gridded(
    "iq2_s",
    GgmlType::IQ2_S,
    82,
    0.125,
    signed_grid(
        field!((16, 8, &[step(32, 8)]), (528, 2, &[step(32, 2)])),
        Grid::Eight(&grids::IQ2_S),
        field!((272, 8, &[step(32, 8)])),
    ),
    (field!((592, 4, &[step(16, 4)])), 16),
);

const IQ3_XXS: BlockFormat = gridded(
    "iq3_xxs",
    GgmlType::IQ3_XXS,
    98,
    0.25,
    signed_grid(
        field!((16, 8, &[step(64, 8)])),
        Grid::Four(&grids::IQ3_XXS),
        field!((528, 7, &[step(4, 7), step(8, 32)])),
    ),
    (field!((556, 4, &[step(8, 32)])), 32),
);

const IQ3_S: BlockFormat = gridded(
    "iq3_s",
    GgmlType::IQ3_S,
    110,
    1.0,
    signed_grid(
        field!((16, 8, &[step(64, 8)]), (528, 1, &[step(64, 1)])),
        Grid::Four(&grids::IQ3_S),
        field!((592, 8, &[step(32, 8)])),
    ),
    (field!((848, 4, &[step(8, 4)])), 32),
);

const IQ1_S: BlockFormat = BlockFormat {
    shift: Some(Shift {
        field: field!((287, 1, &[step(8, 16)])),
        run: 32,
    }),
    order: Order::ShiftsAlone,
    ..gridded(
        "iq1_s",
        GgmlType::IQ1_S,
        50,
        1.0,
        Quants::Grid {
            index: field!(
                (16, 8, &[step(32, 8)]),
                (272, 3, &[step(4, 3), step(8, 16)]),
            ),
            grid: Grid::Eight(&grids::IQ1),
            signs: None,
        },
        (field!((284, 3, &[step(8, 16)])), 32),
    )
};

const IQ1_M: BlockFormat = BlockFormat {
    scale: f16_at(
        field!((396, 4, &[]), (412, 4, &[]), (428, 4, &[]), (444, 4, &[])),
        QK256,
    ),
    shift: Some(Shift {
        field: field!((259, 1, &[step(32, 4)])),
        run: 8,
    }),
    order: Order::ShiftsInLanes,
    ..gridded(
        "iq1_m",
        GgmlType::IQ1_M,
        56,
        1.0,
        Quants::Grid {
            index: field!((0, 8, &[step(32, 8)]), (256, 3, &[step(32, 4)])),
            grid: Grid::Eight(&grids::IQ1),
            signs: None,
        },
        (field!((384, 3, &[step(4, 3), step(4, 16)])), 16),
    )
};

/// All block formats, in the order of listings.
pub static BLOCK_FORMATS: &[BlockFormat] = &[
    Q1_0, Q2_0, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ1_S, IQ1_M, IQ2_XXS,
    IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_NL, IQ4_XS, MXFP4, NVFP4,
];
