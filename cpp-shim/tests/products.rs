//! Compares dot products and matmuls of every oracle with the definition.

mod common;

use common::{ORACLE, bits, oracles, oracles_with, status, supported, ternary};
use cpp_shim::{Format, Oracle, Status};
use testing::test;

const TERNARY: [Format; 3] = [Format::I2S, Format::TQ2_0, Format::TQ1_0];

/// The definition: codes are the quantized weights plus one.
fn dots(weights: &[f32], cols: usize, activations: &[i8]) -> Vec<i64> {
    activations
        .chunks(cols)
        .flat_map(|a| weights.chunks(cols).map(move |w| (a, w)))
        .map(|(a, w)| {
            a.iter()
                .zip(w)
                .map(|(a, w)| i64::from(*a) * (*w as i64 + 1))
                .sum()
        })
        .collect()
}

fn ramp(n: usize) -> Vec<i8> {
    (0..n).map(|i| (i * 89 % 256) as u8 as i8).collect()
}

#[test(needs(ORACLE))]
fn code_dots_are_the_integers() {
    let (rows, cols, batch) = (3, 512, 2);
    let weights = ternary(rows * cols, 1.0);
    let activations = ramp(batch * cols);
    let expected = dots(&weights, cols, &activations);
    for oracle in oracles() {
        for format in supported(&oracle, &TERNARY) {
            let bytes = oracle.quantize(format, rows, cols, &weights).unwrap();
            let stride = if format == Format::I2S {
                cols / 4
            } else {
                bytes.len() / rows
            };
            let mut out = vec![0; batch * rows];
            oracle
                .code_dots(format, cols, &bytes, rows, stride, &activations, &mut out)
                .unwrap();
            assert_eq!(out, expected, "{} {format}", oracle.id());
        }
    }
}

#[test(needs(ORACLE))]
fn code_dots_pass_pointers_through() {
    for oracle in oracles() {
        for format in supported(&oracle, &TERNARY) {
            let cols = 256;
            let weights = ternary(cols, 1.0);
            let bytes = oracle.quantize(format, 1, cols, &weights).unwrap();
            let mut shifted = vec![0xFF];
            shifted.extend(&bytes);
            let mut activations = vec![99];
            activations.extend(ramp(cols));
            let mut out = [0];
            let row = &shifted[1..];
            oracle
                .code_dots(format, cols, row, 1, 0, &activations[1..], &mut out)
                .unwrap();
            assert_eq!(out[..], dots(&weights, cols, &activations[1..]), "{format}");
        }
    }
}

#[test(needs(ORACLE))]
fn code_dots_drop_the_tail_of_i2_s() {
    for oracle in oracles_with(Format::I2S) {
        let mut out = [0];
        // Of 129 columns of code 2, upstream computes one group of 128.
        oracle
            .code_dots(Format::I2S, 129, &[0xAA; 33], 1, 33, &[1; 129], &mut out)
            .unwrap();
        assert_eq!(out, [256]);
    }
}

#[test(needs(ORACLE))]
fn code_dots_refuse_what_does_not_fit() {
    for oracle in oracles_with(Format::I2S) {
        let refused = |format, cols, weights: &[u8], rows, stride, activations: &[i8], n_out| {
            let mut out = vec![0; n_out];
            status(oracle.code_dots(format, cols, weights, rows, stride, activations, &mut out))
        };
        let a = [1; 256];
        assert_eq!(
            refused(Format::I2S, 256, &[0; 63], 1, 64, &a, 1),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 256, &[0; 64], 2, 64, &a, 2),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 256, &[0; 64], 1, 64, &a, 2),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 200, &[0; 64], 1, 64, &a, 1),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 0, &[0; 64], 1, 64, &a, 1),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 256, &[0; 64], 0, 64, &a, 0),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::TQ2_0, 128, &[0; 66], 1, 66, &a[..128], 1),
            Status::BadArgument
        );
        assert_eq!(
            refused(Format::I2S, 256, &[0; 64], 3, usize::MAX, &a, 3),
            Status::BadArgument
        );
        for format in [Format::F16, Format::F32, Format::Q6_K] {
            assert_eq!(
                refused(format, 256, &[0; 1024], 1, 1024, &a, 1),
                Status::Unsupported
            );
        }
    }
}

fn product(
    oracle: &Oracle,
    format: Format,
    shape: (usize, usize),
    weights: &[f32],
    activations: &[f32],
    threads: usize,
) -> Vec<f32> {
    let (rows, cols) = shape;
    let bytes = oracle.quantize(format, rows, cols, weights).unwrap();
    let mut out = vec![f32::NAN; activations.len() / cols * rows];
    oracle
        .matmul(format, rows, cols, &bytes, activations, threads, &mut out)
        .unwrap();
    out
}

#[test(needs(ORACLE))]
fn matmul_multiplies() {
    let (rows, cols, batch) = (5, 256, 3);
    let weights = ternary(rows * cols, 1.0);
    // Integers up to 127. Every row contains 127, so they are quantized without rounding.
    let activations: Vec<f32> = (0..batch * cols)
        .map(|i| ((i % cols) as f32 - 128.0).max(-127.0))
        .collect();
    let expected: Vec<f32> = activations
        .chunks(cols)
        .flat_map(|a| weights.chunks(cols).map(move |w| a.iter().zip(w)))
        .map(|pairs| pairs.map(|(a, w)| a * w).sum())
        .collect();
    for oracle in oracles() {
        let exact = [&TERNARY[..], &[Format::F16, Format::F32]].concat();
        for format in supported(&oracle, &exact) {
            let out = product(&oracle, format, (rows, cols), &weights, &activations, 1);
            assert_eq!(out, expected, "{} {format}", oracle.id());
        }
        let out = product(
            &oracle,
            Format::Q6_K,
            (rows, cols),
            &weights,
            &activations,
            1,
        );
        for (out, expected) in out.iter().zip(&expected) {
            // 6-bit codes represent -1, 0 and 1 up to the rounding of their f16 scale.
            assert!(
                (out - expected).abs() <= 0.01 * 127.0,
                "{out} for {expected}"
            );
        }
    }
}

#[test(needs(ORACLE))]
fn matmul_does_not_depend_on_the_threads() {
    let (rows, cols, batch) = (70, 512, 5);
    let weights = ternary(rows * cols, 0.3);
    let activations: Vec<f32> = (0..batch * cols).map(|i| (i as f32 * 0.7).sin()).collect();
    for oracle in oracles() {
        for format in supported(&oracle, &TERNARY) {
            let one = product(&oracle, format, (rows, cols), &weights, &activations, 1);
            for threads in 2..=4 {
                let many = product(
                    &oracle,
                    format,
                    (rows, cols),
                    &weights,
                    &activations,
                    threads,
                );
                assert_eq!(
                    bits(&one),
                    bits(&many),
                    "{} {format} {threads}",
                    oracle.id()
                );
            }
        }
    }
}

#[test(needs(ORACLE))]
fn matmul_runs_on_several_threads_of_the_caller() {
    let (rows, cols) = (16, 256);
    let weights = ternary(rows * cols, 0.3);
    let activations: Vec<f32> = (0..cols).map(|i| (i as f32 * 0.7).sin()).collect();
    for oracle in oracles_with(Format::I2S) {
        let expected = product(
            &oracle,
            Format::I2S,
            (rows, cols),
            &weights,
            &activations,
            1,
        );
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let out = product(
                            &oracle,
                            Format::I2S,
                            (rows, cols),
                            &weights,
                            &activations,
                            1,
                        );
                        assert_eq!(bits(&out), bits(&expected));
                    }
                });
            }
        });
    }
}

#[test(needs(ORACLE))]
fn matmul_refuses_what_does_not_fit() {
    for oracle in oracles() {
        let weights = oracle
            .quantize(Format::TQ2_0, 2, 256, &ternary(512, 1.0))
            .unwrap();
        let refused = |rows, cols, weights: &[u8], n: usize, threads, n_out| {
            let (activations, mut out) = (vec![0.0; n], vec![0.0; n_out]);
            let result = oracle.matmul(
                Format::TQ2_0,
                rows,
                cols,
                weights,
                &activations,
                threads,
                &mut out,
            );
            status(result)
        };
        assert_eq!(refused(3, 256, &weights, 256, 1, 3), Status::BadArgument);
        assert_eq!(refused(2, 128, &weights, 128, 1, 2), Status::BadArgument);
        assert_eq!(refused(2, 256, &weights, 255, 1, 2), Status::BadArgument);
        assert_eq!(refused(2, 256, &weights, 256, 1, 1), Status::BadArgument);
        assert_eq!(refused(2, 256, &weights, 0, 1, 0), Status::BadArgument);
        assert_eq!(refused(2, 256, &weights, 256, 0, 2), Status::BadArgument);
        assert_eq!(
            refused(2, 256, &weights, 256, usize::MAX, 2),
            Status::BadArgument
        );
        // The f16 scales are misaligned by one byte.
        let mut shifted = vec![0];
        shifted.extend(&weights);
        assert_eq!(
            refused(2, 256, &shifted[1..], 256, 1, 2),
            Status::BadArgument
        );
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
