//! Kernel benchmarks for development: `cargo bench -p qk256 -- i2_s.group128`.
//!
//! They compare kernels with each other on this machine, with one thread and with all data in the cache. `harness
//! bench` compares kernels with the reference.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qk256::activation::Activations;
use qk256::format::{Format, Storage, Weights, pack};
use qk256::kernel::{self, Isa, Kernel};

/// Rows of the matrix: about as many as one task of a thread, and a multiple of every panel.
const ROWS: usize = 64;

/// Columns: those of a 2B-4T model, a multiple of every block.
const COLS: usize = 2560;

/// Columns of activations: GEMV, and a GEMM.
const BATCHES: [usize; 2] = [1, 32];

/// A matrix of pseudo-random codes and a batch of pseudo-random activations.
struct Operands {
    storage: Storage,
    bytes: Vec<u8>,
    activations: Vec<f32>,
}

impl Operands {
    fn new(format: Format, batch: usize) -> Operands {
        // A Weyl sequence. The kernels have no data-dependent branches, so the quality of the numbers does not matter.
        let spread = |index: usize| (index as u32).wrapping_mul(0x9e37_79b9) >> 8;
        let storage = Storage::native(format, ROWS, COLS).expect("the shape fits every format");
        let codes: Vec<u8> = (0..ROWS * COLS).map(|i| (spread(i) % 3) as u8).collect();
        let bytes = pack(&storage, &codes, &vec![0.5; storage.scale_count()])
            .expect("the numbers of codes and scales match the storage");
        let activations = (0..batch * COLS)
            .map(|i| spread(i) as f32 / (1 << 23) as f32 - 1.0)
            .collect();
        Operands {
            storage,
            bytes,
            activations,
        }
    }

    fn weights(&self) -> Weights<'_> {
        Weights::new(self.storage, &self.bytes).expect("packed for this storage")
    }
}

/// The kernels that this CPU can run, without the naive definition.
fn kernels() -> impl Iterator<Item = &'static Kernel> {
    kernel::all()
        .iter()
        .filter(|kernel| kernel.isa() != Isa::Naive && kernel.availability().is_ok())
}

fn dots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dots");
    for kernel in kernels() {
        for batch in BATCHES {
            let operands = Operands::new(*kernel.format(), batch);
            let kind = kernel.format().activation;
            let quantized = Activations::quantize(kind, COLS, &operands.activations)
                .expect("finite activations, whole blocks");
            let mut out = vec![0; batch * ROWS];
            group.throughput(Throughput::Elements((batch * ROWS * COLS) as u64));
            group.bench_function(BenchmarkId::new(kernel.id(), batch), |bencher| {
                bencher.iter(|| {
                    kernel
                        .dots(&operands.weights(), 0..ROWS, quantized.codes(), &mut out)
                        .expect("shapes fit");
                    black_box(&mut out);
                });
            });
        }
    }
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("products");
    for kernel in kernels() {
        for batch in BATCHES {
            let operands = Operands::new(*kernel.format(), batch);
            let kind = kernel.format().activation;
            let quantized = Activations::quantize(kind, COLS, &operands.activations)
                .expect("finite activations, whole blocks");
            let mut out = vec![0.0; batch * ROWS];
            group.throughput(Throughput::Elements((batch * ROWS * COLS) as u64));
            group.bench_function(BenchmarkId::new(kernel.id(), batch), |bencher| {
                bencher.iter(|| {
                    kernel
                        .products(&operands.weights(), 0..ROWS, &quantized, &mut out)
                        .expect("shapes fit");
                    black_box(&mut out);
                });
            });
        }
    }
}

fn products_f32(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("products_f32");
    for kernel in kernels() {
        let operands = Operands::new(*kernel.format(), 1);
        let mut out = vec![0.0; ROWS];
        group.throughput(Throughput::Elements((ROWS * COLS) as u64));
        group.bench_function(BenchmarkId::new(kernel.id(), 1), |bencher| {
            bencher.iter(|| {
                kernel
                    .products_f32(
                        &operands.weights(),
                        0..ROWS,
                        &operands.activations,
                        &mut out,
                    )
                    .expect("shapes fit");
                black_box(&mut out);
            });
        });
    }
}

fn quantize(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("quantize");
    for format in [qk256::format::I2_S_GROUP128, qk256::format::TQ2_0] {
        let operands = Operands::new(format, 1);
        group.throughput(Throughput::Elements(COLS as u64));
        group.bench_function(format.activation.name(), |bencher| {
            bencher.iter(|| Activations::quantize(format.activation, COLS, &operands.activations));
        });
    }
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = kernels_side_by_side;
    config = short();
    targets = dots, products, products_f32, quantize
}
criterion_main!(kernels_side_by_side);
