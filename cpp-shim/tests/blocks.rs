//! Compares the values of blocks and their dot products of every format of every oracle with each other.

mod common;

use common::{ORACLE, bits, oracles, random_rows, status};
use cpp_shim::{Format, FormatInfo, Oracle, Status};
use testing::test;

/// Columns of tests of all formats: a multiple of every block.
const COLS: usize = 512;

/// The scales of one row of [`COLS`] codes, each with the value `scale`, if the oracle's activations of the format are
/// in blocks.
fn scales(info: &FormatInfo, codes: &[i8], scale: f32) -> Option<Vec<f32>> {
    let sum = |block: &[i8]| block.iter().map(|&code| f32::from(code)).sum::<f32>();
    match info.activations?.name() {
        "q8_K" => Some(vec![scale; COLS / 256]),
        "q8_0" => Some(vec![scale; COLS / 32]),
        "q8_1" => Some(
            codes
                .chunks(32)
                .flat_map(|block| [scale, scale * sum(block)])
                .collect(),
        ),
        _ => None,
    }
}

/// The formats of an oracle with activations in blocks.
fn block_formats(oracle: &Oracle) -> Vec<&FormatInfo> {
    let formats = oracle.description().formats.iter();
    let has_blocks = |info: &&FormatInfo| scales(info, &[], 1.0).is_some();
    let found: Vec<_> = formats.filter(has_blocks).collect();
    assert!(found.len() > 20, "{}", oracle.id());
    found
}

#[test(needs(ORACLE))]
fn values_equal_products_with_unit_vectors() {
    const ROWS: usize = 2;
    // 64 / 64: exact in every type of activations.
    let mut codes = vec![0; COLS * COLS];
    let mut ones = vec![0.0; COLS * COLS];
    for i in 0..COLS {
        codes[i * COLS + i] = 64;
        ones[i * COLS + i] = 1.0;
    }
    for oracle in oracles() {
        let formats = oracle.description().formats.iter();
        for info in formats.filter(|info| info.has_to_float) {
            let (format, case) = (info.format, format!("{} {}", oracle.id(), info.format));
            let (bytes, values) = random_rows(&oracle, info, ROWS, COLS);
            let stride = bytes.len() / ROWS;
            let mut rows = vec![f32::NAN; ROWS * COLS];
            oracle
                .dequantize(format, COLS, &bytes, ROWS, stride, &mut rows)
                .unwrap();
            assert_eq!(rows, values, "{case}");
            let mut out = vec![f32::NAN; COLS * ROWS];
            if scales(info, &[], 1.0).is_some() {
                let scales: Vec<f32> = codes
                    .chunks(COLS)
                    .flat_map(|codes| scales(info, codes, 1.0 / 64.0).unwrap())
                    .collect();
                oracle
                    .block_dots(
                        format, COLS, &bytes, ROWS, stride, &codes, &scales, &mut out,
                    )
                    .unwrap();
            } else {
                oracle
                    .matmul(format, ROWS, COLS, &bytes, &ones, 1, &mut out)
                    .unwrap();
            }
            for (i, out) in out.chunks(ROWS).enumerate() {
                let expected = [values[i], values[COLS + i]];
                assert_eq!(out, expected, "{case}, column {i}");
            }
        }
    }
}

#[test(needs(ORACLE))]
fn block_dots_of_quantized_activations_equal_the_matmul() {
    let (rows, batch) = (3, 4);
    let activations: Vec<f32> = (0..batch * COLS).map(|i| (i as f32 * 0.7).sin()).collect();
    for oracle in oracles() {
        for info in block_formats(&oracle) {
            let format = info.format;
            let (bytes, _) = random_rows(&oracle, info, rows, COLS);
            let quantized = oracle
                .quantize_activations(format, COLS, &activations)
                .unwrap();
            let mut dots = vec![f32::NAN; batch * rows];
            oracle
                .block_dots(
                    format,
                    COLS,
                    &bytes,
                    rows,
                    bytes.len() / rows,
                    &quantized.codes,
                    &quantized.scales,
                    &mut dots,
                )
                .unwrap();
            let mut products = vec![f32::NAN; batch * rows];
            oracle
                .matmul(format, rows, COLS, &bytes, &activations, 1, &mut products)
                .unwrap();
            assert_eq!(bits(&dots), bits(&products), "{} {format}", oracle.id());
        }
    }
}

#[test(needs(ORACLE))]
fn block_dots_and_values_of_rows_at_any_distance() {
    let rows = 2;
    let codes: Vec<i8> = (0..COLS).map(|i| (i * 89 % 256) as u8 as i8).collect();
    for oracle in oracles() {
        for info in block_formats(&oracle) {
            let (format, case) = (info.format, format!("{} {}", oracle.id(), info.format));
            let (bytes, values) = random_rows(&oracle, info, rows, COLS);
            let scales = scales(info, &codes, 0.5).unwrap();
            let row = bytes.len() / rows;
            // The first row is misaligned by one byte.
            let stride = row + 3;
            let mut apart = vec![0xFF; 1 + stride + row];
            apart[1..][..row].copy_from_slice(&bytes[..row]);
            apart[1 + stride..].copy_from_slice(&bytes[row..]);
            let dots = |weights: &[u8], stride| {
                let mut out = [f32::NAN; 2];
                oracle
                    .block_dots(
                        format, COLS, weights, rows, stride, &codes, &scales, &mut out,
                    )
                    .unwrap();
                bits(&out)
            };
            assert_eq!(dots(&apart[1..], stride), dots(&bytes, row), "{case}");
            let mut floats = vec![f32::NAN; rows * COLS];
            oracle
                .dequantize(format, COLS, &apart[1..], rows, stride, &mut floats)
                .unwrap();
            assert_eq!(floats, values, "{case}");
        }
    }
}

#[test(needs(ORACLE))]
fn block_dots_and_values_refuse_what_does_not_fit() {
    for oracle in oracles() {
        for info in &oracle.description().formats {
            let (format, case) = (info.format, format!("{} {}", oracle.id(), info.format));
            let bytes = vec![0; 8 * COLS];
            let codes = vec![0; COLS];
            let dots = |cols, n_bytes, codes: &[i8], scales: &[f32], n_out| {
                let (bytes, mut out) = (&bytes[..n_bytes], vec![0.0; n_out]);
                status(oracle.block_dots(format, cols, bytes, 1, 0, codes, scales, &mut out))
            };
            let values = |cols, n_bytes, n_out| {
                let (bytes, mut out) = (&bytes[..n_bytes], vec![0.0; n_out]);
                status(oracle.dequantize(format, cols, bytes, 1, 0, &mut out))
            };
            if info.has_to_float {
                let row = info.block_bytes.unwrap() * COLS / info.block;
                assert_eq!(values(0, row, 0), Status::BadArgument, "{case}");
                assert_eq!(values(COLS, row - 1, COLS), Status::BadArgument, "{case}");
                assert_eq!(values(COLS, row, COLS - 1), Status::BadArgument, "{case}");
                if info.cols_multiple > 1 {
                    let cols = COLS - info.cols_multiple / 2;
                    assert_eq!(values(cols, row, cols), Status::BadArgument, "{case}");
                }
            } else {
                assert_eq!(
                    values(COLS, bytes.len(), COLS),
                    Status::Unsupported,
                    "{case}"
                );
            }
            let Some(scales) = scales(info, &codes, 1.0) else {
                let status = dots(COLS, bytes.len(), &codes, &[], 1);
                assert_eq!(status, Status::Unsupported, "{case}");
                continue;
            };
            let row = info.block_bytes.unwrap() * COLS / info.block;
            let bad = Status::BadArgument;
            assert_eq!(dots(COLS, row - 1, &codes, &scales, 1), bad, "{case}");
            assert_eq!(dots(COLS, row, &codes[1..], &scales, 1), bad, "{case}");
            assert_eq!(dots(COLS, row, &codes, &scales[1..], 1), bad, "{case}");
            assert_eq!(dots(COLS, row, &codes, &scales, 2), bad, "{case}");
            let cols = COLS - info.cols_multiple / 2;
            assert_eq!(dots(cols, row, &codes[..cols], &scales, 1), bad, "{case}");
            if info.activations != Some(Format::named("q8_K")) {
                for scale in [0.1, 65520.0, f32::NAN] {
                    let scales = vec![scale; scales.len()];
                    assert_eq!(dots(COLS, row, &codes, &scales, 1), bad, "{case} {scale}");
                }
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
