//! Relations between results that need no reference.

use harness::probe::Random;
use qk256::activation::Activations;
use qk256::format::{FORMATS, Format, ScaleRule, Storage, Weights, pack};
use qk256::kernel::{self, Kernel};

/// The kernels that this CPU can run.
fn kernels() -> impl Iterator<Item = &'static Kernel> {
    kernel::all()
        .iter()
        .filter(|kernel| kernel.availability().is_ok())
}

/// Shapes with several rows, whole blocks and, if the format has them, tails.
fn storages(format: &Format) -> Vec<Storage> {
    let shapes = [(8, 256), (4, 384), (12, 768), (4, 2304)];
    shapes
        .into_iter()
        .filter_map(|(rows, cols)| Storage::native(*format, rows, cols).ok())
        .collect()
}

fn trits(n: usize, random: &mut Random) -> Vec<u8> {
    (0..n).map(|_| random.below(3) as u8).collect()
}

fn dots(kernel: &Kernel, storage: Storage, bytes: &[u8], activations: &[i8]) -> Vec<i32> {
    let weights = Weights::new(storage, bytes).unwrap();
    let batch = activations.len() / storage.cols();
    let mut out = vec![0; batch * storage.rows()];
    kernel
        .dots(&weights, 0..storage.rows(), activations, &mut out)
        .unwrap();
    out
}

fn products(kernel: &Kernel, storage: Storage, bytes: &[u8], activations: &[f32]) -> Vec<u32> {
    let weights = Weights::new(storage, bytes).unwrap();
    let kind = storage.format().activation;
    let quantized = Activations::quantize(kind, storage.cols(), activations).unwrap();
    let mut out = vec![0.0; quantized.rows() * storage.rows()];
    kernel
        .products(&weights, 0..storage.rows(), &quantized, &mut out)
        .unwrap();
    out.into_iter().map(f32::to_bits).collect()
}

fn products_f32(kernel: &Kernel, storage: Storage, bytes: &[u8], activations: &[f32]) -> Vec<u32> {
    let weights = Weights::new(storage, bytes).unwrap();
    let batch = activations.len() / storage.cols();
    let mut out = vec![0.0; batch * storage.rows()];
    kernel
        .products_f32(&weights, 0..storage.rows(), activations, &mut out)
        .unwrap();
    out.into_iter().map(f32::to_bits).collect()
}

#[test]
fn the_same_trits_give_the_same_integers_in_every_ternary_format() {
    let mut random = Random::new(1, "trits");
    let (rows, cols) = (8, 1024);
    let codes = trits(rows * cols, &mut random);
    let activations: Vec<i8> = (0..3 * cols).map(|_| random.code()).collect();
    let mut expected: Option<(Vec<i32>, &str)> = None;
    let mut formats = std::collections::HashSet::new();
    for kernel in kernels().filter(|kernel| kernel.format().codebook.offset() == 1) {
        let storage = Storage::native(*kernel.format(), rows, cols).unwrap();
        let bytes = pack(&storage, &codes, &vec![1.0; storage.scale_count()]).unwrap();
        let actual = dots(kernel, storage, &bytes, &activations);
        formats.insert(kernel.format().id);
        match &expected {
            None => expected = Some((actual, kernel.id())),
            Some((expected, first)) => assert_eq!(&actual, expected, "{} and {first}", kernel.id()),
        }
    }
    assert_eq!(
        formats.len(),
        FORMATS.iter().filter(|f| f.codebook.offset() == 1).count()
    );
}

#[test]
fn permuting_rows_permutes_results() {
    for kernel in kernels() {
        for storage in storages(kernel.format()) {
            let mut random = Random::new(2, kernel.id());
            let (rows, cols) = (storage.rows(), storage.cols());
            let codes = trits(rows * cols, &mut random);
            let per_row = storage.scale_count() / rows;
            let tensor_scale = matches!(storage.format().scale, ScaleRule::Tensor);
            let scales: Vec<f32> = (0..storage.scale_count())
                .map(|_| 0.5 + random.unit().abs())
                .collect();
            // 5 is coprime to every number of rows used here.
            let source: Vec<usize> = (0..rows).map(|row| (5 * row + 3) % rows).collect();
            let row_codes = |&row: &usize| codes[row * cols..][..cols].to_vec();
            let permuted_codes: Vec<u8> = source.iter().flat_map(row_codes).collect();
            let row_scales = |&row: &usize| scales[row * per_row..][..per_row].to_vec();
            let permuted_scales: Vec<f32> = if tensor_scale {
                scales.clone()
            } else {
                source.iter().flat_map(row_scales).collect()
            };
            let bytes = pack(&storage, &codes, &scales).unwrap();
            let permuted = pack(&storage, &permuted_codes, &permuted_scales).unwrap();
            let x: Vec<f32> = (0..2 * cols).map(|_| random.bell()).collect();
            let a: Vec<i8> = (0..2 * cols).map(|_| random.code()).collect();
            let case = format!("{} {rows} x {cols}", kernel.id());
            let follows = |i: usize| i / rows * rows + source[i % rows];
            let straight = dots(kernel, storage, &bytes, &a);
            let moved = dots(kernel, storage, &permuted, &a);
            assert!(
                (0..moved.len()).all(|i| moved[i] == straight[follows(i)]),
                "dots: {case}"
            );
            for (operation, run) in OPERATIONS {
                let straight = run(kernel, storage, &bytes, &x);
                let moved = run(kernel, storage, &permuted, &x);
                assert!(
                    (0..moved.len()).all(|i| moved[i] == straight[follows(i)]),
                    "{operation}: {case}"
                );
            }
        }
    }
}

/// An operation with f32 results, as bits.
type Products = fn(&Kernel, Storage, &[u8], &[f32]) -> Vec<u32>;
const OPERATIONS: [(&str, Products); 2] = [("products", products), ("products_f32", products_f32)];

#[test]
fn negating_activations_negates_sums() {
    for kernel in kernels() {
        for storage in storages(kernel.format()) {
            let mut random = Random::new(3, kernel.id());
            let cols = storage.cols();
            let codes = trits(storage.rows() * cols, &mut random);
            let scales = vec![0.75; storage.scale_count()];
            let bytes = pack(&storage, &codes, &scales).unwrap();
            let case = format!("{} {} x {cols}", kernel.id(), storage.rows());
            // -128 cannot be negated in int8.
            let a: Vec<i8> = (0..2 * cols).map(|_| random.code().max(-127)).collect();
            let negated: Vec<i8> = a.iter().map(|a| -a).collect();
            let sums = dots(kernel, storage, &bytes, &a);
            let negative = dots(kernel, storage, &bytes, &negated);
            assert!(
                sums.iter().zip(&negative).all(|(a, b)| *a == -b),
                "dots: {case}"
            );
            assert!(sums.iter().any(|&sum| sum != 0), "{case}");
            // Rounding to nearest is symmetric in quantization and in sums. A sum of zero keeps its sign.
            let x: Vec<f32> = (0..2 * cols).map(|_| random.bell()).collect();
            let negated: Vec<f32> = x.iter().map(|x| -x).collect();
            for (operation, run) in OPERATIONS {
                let sums = run(kernel, storage, &bytes, &x);
                let negative = run(kernel, storage, &bytes, &negated);
                let opposite = |(a, b): (&u32, &u32)| f32::from_bits(*a) == -f32::from_bits(*b);
                assert!(
                    sums.iter().zip(&negative).all(opposite),
                    "{operation}: {case}"
                );
            }
        }
    }
}

#[test]
fn a_batch_of_32_is_32_single_rows() {
    for kernel in kernels() {
        for storage in storages(kernel.format()) {
            let mut random = Random::new(4, kernel.id());
            let cols = storage.cols();
            let codes = trits(storage.rows() * cols, &mut random);
            let bytes = pack(&storage, &codes, &vec![1.25; storage.scale_count()]).unwrap();
            let case = format!("{} {} x {cols}", kernel.id(), storage.rows());
            let a: Vec<i8> = (0..32 * cols).map(|_| random.code()).collect();
            let one_by_one = a
                .chunks(cols)
                .flat_map(|a| dots(kernel, storage, &bytes, a));
            assert!(
                dots(kernel, storage, &bytes, &a).into_iter().eq(one_by_one),
                "dots: {case}"
            );
            let x: Vec<f32> = (0..32 * cols).map(|_| random.bell()).collect();
            for (operation, run) in OPERATIONS {
                let one_by_one = x.chunks(cols).flat_map(|x| run(kernel, storage, &bytes, x));
                let at_once = run(kernel, storage, &bytes, &x);
                assert!(at_once.into_iter().eq(one_by_one), "{operation}: {case}");
            }
        }
    }
}
