//! Compares the block formats with the strict oracles: the value of every weight and every bit of the products.

mod common;

use common::{IDENTITY, identities};
use cpp_shim::{Format, Oracle};
use harness::participant::vintage_of;
use harness::probe::Random;
use qk256::dense::Dense;
use qk256::format::block::{BLOCK_FORMATS, BlockFormat, Quants, Scale};
use qk256::gguf::{Builder, Gguf};
use qk256::threads::Threads;
use testing::test;

const ROWS: usize = 9;

/// Blocks of random bits, with finite scales. Together, they use every point of a grid.
fn blocks(format: &BlockFormat, count: usize) -> Vec<u8> {
    let mut random = Random::new(5, format.name);
    let bytes = |_| random.bits() as u8;
    let mut blocks: Vec<u8> = (0..count * format.bytes).map(bytes).collect();
    for (n, block) in blocks.chunks_exact_mut(format.bytes).enumerate() {
        let minimum = format.minimum.map(|minimum| minimum.scale);
        for scale in [Some(format.scale), minimum].into_iter().flatten() {
            make_finite(&scale, block);
        }
        if let Quants::Grid { index, .. } = format.quants {
            for i in 0..index.count() {
                index.write(block, i, (n * index.count() + i) as u32);
            }
        }
    }
    blocks
}

/// Sets the exponents of scales to those of numbers around 1.
fn make_finite(scale: &Scale, block: &mut [u8]) {
    for n in 0..scale.field.count() {
        let bits = scale.field.read(block, n);
        let finite = match scale.encoding.width() {
            16 => bits & !(0x1f << 10) | (12 + bits % 6) << 10,
            _ => 120 + bits % 7,
        };
        scale.field.write(block, n, finite);
    }
}

/// Calls `compare` for each strict oracle, each block format that it has, and the oracle's name of it.
fn each(compare: impl Fn(&Oracle, &'static BlockFormat, Format)) {
    let mut seen = Vec::new();
    for build in identities() {
        let oracle = build.load().unwrap();
        for format in BLOCK_FORMATS {
            let named = Format::named(format.name);
            if oracle.description().format(named).is_some() {
                seen.push(format.name);
                compare(&oracle, format, named);
            }
        }
    }
    // The oracles together have all of them.
    for format in BLOCK_FORMATS {
        assert!(seen.contains(&format.name), "{}", format.name);
    }
}

#[test(needs(IDENTITY))]
fn every_weight_has_the_bits_of_the_oracles() {
    each(|oracle, format, named| {
        // 2048 points are in 64 blocks of 32 points.
        let count = 64;
        let (bytes, cols) = (blocks(format, count), format.weights);
        let (mut found, mut wanted) = (vec![0.0; count * cols], vec![0.0; count * cols]);
        for (block, out) in bytes
            .chunks_exact(format.bytes)
            .zip(found.chunks_exact_mut(cols))
        {
            format.dequantize(block, out);
        }
        oracle
            .dequantize(named, cols, &bytes, count, format.bytes, &mut wanted)
            .unwrap();
        common::forward::same_bits(
            &format!("{} of {}", format.name, oracle.id()),
            &found,
            &wanted,
        );
    });
}

#[test(needs(IDENTITY))]
fn products_have_the_bits_of_the_oracles() {
    each(|oracle, format, named| {
        let vintage = vintage_of(Some(&oracle.description().upstream));
        // Odd and even numbers of blocks; batches below and above those of tiles.
        for (per_row, batch) in [(1, 1), (2, 2), (5, 7), (4, 8), (3, 17)] {
            let cols = per_row * format.weights;
            let bytes = blocks(format, ROWS * per_row);
            let mut builder = Builder::default();
            let dims = [cols, ROWS];
            let length = bytes.len() as u64;
            builder
                .tensor("matrix", &dims, format.ggml_type, length)
                .unwrap();
            let writer = builder.start(Vec::new()).unwrap();
            let file = writer.tensor("matrix", &bytes).unwrap().finish().unwrap();
            let gguf = Gguf::parse(&file).unwrap();
            let matrix = Dense::from_tensor(&gguf.tensor("matrix").unwrap()).unwrap();

            let mut random = Random::new(7, format.name);
            let x: Vec<f32> = (0..batch * cols).map(|_| random.unit()).collect();
            let (mut found, mut wanted) = (vec![0.0; batch * ROWS], vec![0.0; batch * ROWS]);
            let threads = Threads::new(1).unwrap();
            matrix
                .of_vintage(vintage)
                .products(&x, &threads, &mut found)
                .unwrap();
            oracle
                .matmul(named, ROWS, cols, &bytes, &x, 1, &mut wanted)
                .unwrap();
            let what = format!(
                "{} of {}, {per_row} blocks, batch {batch}",
                format.name,
                oracle.id()
            );
            common::forward::same_bits(&what, &found, &wanted);
        }
    });
}

fn main() -> std::process::ExitCode {
    testing::main()
}
