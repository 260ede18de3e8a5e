//! Compares every kernel of the registry with `naive`, for all formats and storage variants, with tails, batches and
//! threads.

use proptest::prelude::*;
use proptest::sample::select;
use qk256::activation::Activations;
use qk256::format::{FORMATS, Format, Layout, Storage, StorageVariant, Weights, pack};
use qk256::kernel::{self, Isa, Kernel, KernelError};
use qk256::matmul::{matmul, matmul_f32};
use qk256::threads::Threads;

/// A matrix with a batch of activations.
#[derive(Debug, Clone)]
struct Case {
    storage: Storage,
    bytes: Vec<u8>,
    batch: usize,
    values: Vec<f32>,
    codes: Vec<i8>,
}

fn storages() -> impl Strategy<Value = Storage> {
    let variants: Vec<(Format, StorageVariant)> = FORMATS
        .iter()
        .flat_map(|f| f.variants.iter().map(|&variant| (*f, variant)))
        .collect();
    // More rows than kernels process together: 8 in a GEMV, 16 in a panel.
    (select(variants), 1..20usize, 1..700usize).prop_map(|((format, variant), rows, cols)| {
        let rows = rows * format.layout.panel_rows();
        let shape = |rows, cols| Storage::new(format, variant, rows, cols);
        shape(rows, cols)
            .or_else(|_| shape(rows, cols.next_multiple_of(128)))
            .or_else(|_| shape(rows, cols.next_multiple_of(256)))
            .expect("whole blocks fit every format")
    })
}

fn cases() -> impl Strategy<Value = Case> {
    storages().prop_flat_map(|storage| {
        (1..10usize).prop_flat_map(move |batch| {
            let n = storage.rows() * storage.cols();
            let max = if storage.layout() == Layout::Tq1_0 {
                2
            } else {
                3
            };
            let codes = prop::collection::vec(0..=max as u8, n);
            let scales = prop::collection::vec(-4.0..4.0f32, storage.scale_count());
            let values = prop::collection::vec(-10.0..10.0f32, batch * storage.cols());
            let activations = prop::collection::vec(any::<i8>(), batch * storage.cols());
            (codes, scales, values, activations).prop_map(
                move |(weights, scales, values, codes)| {
                    let bytes =
                        pack(&storage, &weights, &scales).expect("lengths follow the storage");
                    Case {
                        storage,
                        bytes,
                        batch,
                        values,
                        codes,
                    }
                },
            )
        })
    })
}

fn naive(format: &Format) -> &'static Kernel {
    kernel::all()
        .iter()
        .find(|k| k.format() == format && k.isa() == Isa::Naive)
        .expect("naive")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_kernel_equals_naive_bit_for_bit(case in cases()) {
        let weights = Weights::new(case.storage, &case.bytes).unwrap();
        let rows = weights.rows();
        let quantized =
            Activations::quantize(weights.format().activation, weights.cols(), &case.values).unwrap();
        let run = |kernel: &Kernel, rows: std::ops::Range<usize>| {
            let n = case.batch * rows.len();
            let (mut dots, mut products, mut f32s) = (vec![0; n], vec![0.0; n], vec![0.0; n]);
            let mut unpacked = vec![0.0; rows.len() * weights.cols()];
            kernel.unpack(&weights, rows.clone(), &mut unpacked).unwrap();
            kernel.dots(&weights, rows.clone(), &case.codes, &mut dots).unwrap();
            kernel.products(&weights, rows.clone(), &quantized, &mut products).unwrap();
            kernel.products_f32(&weights, rows, &case.values, &mut f32s).unwrap();
            (dots, bits(&products), bits(&f32s), bits(&unpacked))
        };
        let naive = naive(weights.format());
        let candidates = kernel::all().iter().filter(|k| k.format() == weights.format());
        for candidate in candidates.filter(|k| k.availability().is_ok()) {
            for rows in [0..rows, rows / 2..rows, 1.min(rows)..rows, 0..0] {
                prop_assert_eq!(run(candidate, rows.clone()), run(naive, rows), "{}", candidate.id());
            }
        }
    }

    #[test]
    fn results_depend_on_neither_threads_nor_batch_split(case in cases()) {
        let weights = Weights::new(case.storage, &case.bytes).unwrap();
        let (rows, cols) = (weights.rows(), weights.cols());
        let kernel = kernel::best(weights.format());
        let run = |values: &[f32], threads: &Threads| {
            let n = values.len() / cols * rows;
            let (mut quantized, mut plain) = (vec![0.0; n], vec![0.0; n]);
            matmul(kernel, &weights, values, threads, &mut quantized).unwrap();
            matmul_f32(kernel, &weights, values, threads, &mut plain).unwrap();
            (bits(&quantized), bits(&plain))
        };
        let whole = run(&case.values, &Threads::ONE);
        prop_assert_eq!(&run(&case.values, &Threads::new(3).unwrap()), &whole);
        let mut split = (Vec::new(), Vec::new());
        for row in case.values.chunks_exact(cols) {
            let (quantized, plain) = run(row, &Threads::ONE);
            split.0.extend(quantized);
            split.1.extend(plain);
        }
        prop_assert_eq!(&split, &whole);
    }
}

/// A matrix of `rows x cols` in which all codes are `code`, with scales of 1.
fn uniform(format: Format, rows: usize, cols: usize, code: u8) -> (Storage, Vec<u8>) {
    let storage = Storage::native(format, rows, cols).unwrap();
    let scales = vec![1.0; storage.scale_count()];
    let bytes = pack(&storage, &vec![code; rows * cols], &scales).unwrap();
    (storage, bytes)
}

#[test]
fn long_rows_of_extremes_are_exact() {
    for format in FORMATS {
        let kernels = kernel::all().iter().filter(|k| k.format() == format);
        let kernels: Vec<_> = kernels.filter(|k| k.availability().is_ok()).collect();
        let codes: &[u8] = if format.layout == Layout::Tq1_0 {
            &[2]
        } else {
            &[2, 3]
        };
        for (&code, cols) in codes
            .iter()
            .flat_map(|c| [256, 1280, 2560, 19968].map(|n| (c, n)))
        {
            let (storage, bytes) = uniform(*format, 4, cols, code);
            let weights = Weights::new(storage, &bytes).unwrap();
            let raw = i32::from(format.codebook.raw(code));
            for batch in [1, 4] {
                for a in [127, -128] {
                    let wanted = vec![raw * i32::from(a) * cols as i32; 4 * batch];
                    for kernel in &kernels {
                        let mut dots = vec![0; 4 * batch];
                        kernel
                            .dots(&weights, 0..4, &vec![a; batch * cols], &mut dots)
                            .unwrap();
                        assert_eq!(dots, wanted, "{} {code} x {a}, {cols}", kernel.id());
                    }
                }
            }
            // Activations of equal sign and magnitude are all quantized to -127 or 127.
            for x in [1.0, -1.0] {
                let values = vec![x; 4 * cols];
                let quantized = Activations::quantize(format.activation, cols, &values).unwrap();
                let products = |kernel: &Kernel| {
                    let mut out = vec![0.0; 16];
                    kernel
                        .products(&weights, 0..4, &quantized, &mut out)
                        .unwrap();
                    bits(&out)
                };
                let wanted = products(naive(format));
                for kernel in &kernels {
                    assert_eq!(
                        products(kernel),
                        wanted,
                        "{} {code} x {x}, {cols}",
                        kernel.id()
                    );
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_alignment() {
    for format in FORMATS {
        let cols = 768;
        let storage = Storage::native(*format, 4, cols).unwrap();
        let codes: Vec<u8> = (0..4 * cols).map(|i| (i * 7 / 5 % 3) as u8).collect();
        let packed = pack(&storage, &codes, &vec![0.75; storage.scale_count()]).unwrap();
        let a: Vec<i8> = (0..5 * cols).map(|i| (i * 37 % 256) as u8 as i8).collect();
        let kernels = kernel::all().iter().filter(|k| k.format() == format);
        for kernel in kernels.filter(|k| k.availability().is_ok()) {
            for batch in [1, 5] {
                let run = |shift: usize| {
                    let bytes = [&vec![0xee; shift], packed.as_slice()].concat();
                    let activations = [&vec![99; shift], &a[..batch * cols]].concat();
                    let mut dots = vec![0; shift + 4 * batch];
                    let weights = Weights::new(storage, &bytes[shift..]).unwrap();
                    kernel
                        .dots(&weights, 0..4, &activations[shift..], &mut dots[shift..])
                        .unwrap();
                    dots.split_off(shift)
                };
                let wanted = run(0);
                for shift in 1..64 {
                    assert_eq!(run(shift), wanted, "{} shifted by {shift}", kernel.id());
                }
            }
        }
    }
}

#[test]
fn shape_errors_are_typed_and_calls_are_counted() {
    let storage = Storage::native(qk256::format::I2_S_GROUP128, 2, 128).unwrap();
    let bytes = vec![0; storage.bytes()];
    let weights = Weights::new(storage, &bytes).unwrap();
    let kernel = naive(weights.format());
    let before = kernel.calls();
    let mut out = [0; 2];
    for (rows, activations, results) in [(0..3, 128, 2), (0..2, 100, 2), (0..2, 128, 1)] {
        let error = kernel.dots(&weights, rows, &vec![0; activations], &mut out[..results]);
        assert!(matches!(error, Err(KernelError::Shape(_))), "{error:?}");
    }
    let other = kernel::by_id("tq2_0.naive").unwrap();
    assert!(matches!(
        other.dots(&weights, 0..2, &[0; 128], &mut out),
        Err(KernelError::Format {
            kernel: "tq2_0.naive",
            found: "i2_s.group128"
        })
    ));
    assert!(Weights::new(storage, &bytes[1..]).is_err());
    for (rows, results) in [(0..3, 384), (0..2, 255)] {
        let error = kernel.unpack(&weights, rows, &mut vec![0.0; results]);
        assert!(matches!(error, Err(KernelError::Shape(_))), "{error:?}");
    }
    kernel.dots(&weights, 0..2, &[1; 128], &mut out).unwrap();
    assert!(kernel.calls() > before);
}

#[test]
fn the_registry_has_every_format_under_distinct_ids() {
    let ids: std::collections::HashSet<_> = kernel::all().iter().map(Kernel::id).collect();
    assert_eq!(ids.len(), kernel::all().len());
    for format in FORMATS {
        assert_eq!(naive(format).format(), format);
        assert!(kernel::best(format).isa() > Isa::Naive);
    }
}
