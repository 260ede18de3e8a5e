//! Compares the quantizers of weights and activations with every oracle: the bytes must be identical.

mod common;

use common::ORACLE;
use common::oracles::oracles;
use cpp_shim::{Format as OracleFormat, Oracle};
use harness::probe::Random;
use qk256::activation::Activations;
use qk256::format::{Format, I2_S_GROUP128, Storage, TQ1_0, TQ2_0, quantize};
use testing::test;

const FORMATS: [(Format, OracleFormat); 3] = [
    (I2_S_GROUP128, OracleFormat::I2S),
    (TQ2_0, OracleFormat::TQ2_0),
    (TQ1_0, OracleFormat::TQ1_0),
];

/// Those of which an oracle has the type.
fn formats(oracle: &Oracle) -> impl Iterator<Item = (Format, OracleFormat)> {
    let has = |theirs| oracle.description().format(theirs).is_some();
    FORMATS.into_iter().filter(move |(_, theirs)| has(*theirs))
}

/// Values of many kinds: ternary, bell-shaped, tiny, large, with exact halves and zeros.
fn values(kind: usize, n: usize) -> Vec<f32> {
    let mut random = Random::new(kind as u64, "quantizer values");
    let value = |i: usize| match kind {
        0 => [-0.75, 0.0, 0.75][random.below(3)],
        1 => random.bell(),
        2 => random.unit() * [1e-6, 2e-6, 2e-6][i % 3],
        3 => random.bell() * 1e30,
        4 => (random.below(9) as f32 - 4.0) / 2.0,
        5 => random.bell() * 1e-40,
        6 => {
            if i % 256 < 128 {
                0.0
            } else {
                random.unit()
            }
        }
        _ => 0.0,
    };
    (0..n).map(value).collect()
}

const KINDS: usize = 8;

#[test(needs(ORACLE))]
fn weights_quantize_to_the_oracles_bytes() {
    for oracle in oracles() {
        for (format, theirs) in formats(&oracle) {
            for (rows, cols) in [(1, 256), (3, 512), (4, 2560), (7, 768)] {
                for kind in 0..KINDS {
                    let values = values(kind, rows * cols);
                    let storage = Storage::native(format, rows, cols).unwrap();
                    let ours = quantize(&storage, &values).unwrap();
                    let theirs = oracle.quantize(theirs, rows, cols, &values).unwrap();
                    assert!(
                        ours == theirs,
                        "{}: {} {rows} x {cols}, kind {kind}",
                        oracle.id(),
                        format.id
                    );
                }
            }
        }
    }
}

#[test(needs(ORACLE))]
fn activations_quantize_to_the_oracles_codes_scales_and_sums() {
    for oracle in oracles() {
        for (format, theirs) in formats(&oracle) {
            for cols in [256, 512, 2560] {
                for kind in 0..KINDS {
                    let values = values(kind, 3 * cols);
                    let ours = Activations::quantize(format.activation, cols, &values).unwrap();
                    let theirs = oracle.quantize_activations(theirs, cols, &values).unwrap();
                    let case = format!("{}: {} {cols}, kind {kind}", oracle.id(), format.id);
                    assert_eq!(ours.codes(), theirs.codes, "{case}");
                    let bits =
                        |scales: &[f32]| scales.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(ours.scales()), bits(&theirs.scales), "{case}");
                    assert_eq!(ours.sums(), theirs.sums, "{case}");
                }
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
