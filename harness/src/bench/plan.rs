//! The cases of the kernel bench and the time spent on each.

use std::time::Duration;

use super::doubt::Conditions;
use crate::receipt::Environment;
use qk256::format::{Format, I2_S_GROUP128, TQ1_0, TQ2_0};

/// A matrix product with a number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Format of the weights.
    pub format: &'static Format,
    /// Shape of the matrix.
    pub shape: Shape,
    /// Number of activation columns; 1 for a GEMV.
    pub batch: usize,
    /// Number of threads.
    pub threads: usize,
}

/// The shape of a weight matrix, `rows x cols`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Columns, which is the length of a dot product.
    pub cols: usize,
    /// Whether copies of the matrix rotate, so that no cache holds the next one.
    pub beyond_cache: bool,
}

/// The extent of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All shapes.
    Full,
    /// A few shapes for a short time. This tests that the bench works; its times are not meaningful.
    Quick,
}

/// Time spent on measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Time for all samples of one kernel in one case.
    pub case: Duration,
    /// Time for one sample. The number of calls in a sample is chosen to fill it.
    pub sample: Duration,
}

const fn within(rows: usize, cols: usize) -> Shape {
    Shape {
        rows,
        cols,
        beyond_cache: false,
    }
}

const fn beyond(rows: usize, cols: usize) -> Shape {
    Shape {
        rows,
        cols,
        beyond_cache: true,
    }
}

/// Shapes of the projections of a 2B-4T model, and one matrix that exceeds the caches.
const GEMV: [Shape; 4] = [
    within(2048, 2048),
    within(2560, 6912),
    within(6912, 2560),
    beyond(8192, 16384),
];
const GEMM: [Shape; 2] = [within(2048, 2048), within(2560, 6912)];
const GEMM_BATCHES: [usize; 3] = [32, 128, 512];

/// The only shape for formats other than I2_S.
const OTHERS: Shape = within(2560, 6912);

const QUICK_GEMV: [Shape; 2] = [within(2048, 2048), beyond(8192, 16384)];
const QUICK_GEMM: Shape = within(2048, 2048);
const QUICK_BATCH: usize = 32;

/// The default formats.
pub const FORMATS: [&Format; 3] = [&I2_S_GROUP128, &TQ2_0, &TQ1_0];

impl Case {
    /// `gemv` or `gemm`.
    pub const fn operation(&self) -> &'static str {
        if self.batch == 1 { "gemv" } else { "gemm" }
    }

    /// Number of multiplications of a weight with an activation.
    pub const fn multiply_adds(&self) -> u64 {
        (self.shape.rows * self.shape.cols * self.batch) as u64
    }
}

impl Extent {
    /// The cases of a format, GEMV first. Cases that differ only in threads are adjacent.
    pub fn cases(self, format: &'static Format, threads: &[usize]) -> Vec<Case> {
        let i2_s = format.type_name == I2_S_GROUP128.type_name;
        let mut products: Vec<(Shape, usize)> = Vec::new();
        match self {
            _ if !i2_s => products.push((OTHERS, 1)),
            Extent::Full => {
                products.extend(GEMV.map(|shape| (shape, 1)));
                for shape in GEMM {
                    products.extend(GEMM_BATCHES.map(|batch| (shape, batch)));
                }
            }
            Extent::Quick => {
                products.extend(QUICK_GEMV.map(|shape| (shape, 1)));
                products.push((QUICK_GEMM, QUICK_BATCH));
            }
        }
        let on = |(shape, batch)| {
            threads.iter().map(move |&threads| Case {
                format,
                shape,
                batch,
                threads,
            })
        };
        products.into_iter().flat_map(on).collect()
    }

    /// The conditions of a run of this extent on this machine.
    pub(super) fn conditions(self) -> Conditions {
        Conditions {
            quick: self == Extent::Quick,
            cores: Environment::here().threads,
        }
    }

    /// Time spent on each case.
    pub const fn effort(self) -> Effort {
        match self {
            Extent::Full => Effort {
                case: Duration::from_secs(5),
                sample: Duration::from_millis(5),
            },
            Extent::Quick => Effort {
                case: Duration::from_millis(500),
                sample: Duration::from_millis(1),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_run_has_every_shape_on_every_number_of_threads() {
        let cases = Extent::Full.cases(&I2_S_GROUP128, &[1, 2]);
        let count = |operation| cases.iter().filter(|c| c.operation() == operation).count();
        assert_eq!((count("gemv"), count("gemm")), (4 * 2, 2 * 3 * 2));
        assert_eq!(Extent::Full.cases(&TQ2_0, &[1, 2, 4]).len(), 3);
    }

    #[test]
    fn a_quick_run_is_part_of_a_full_one() {
        for format in FORMATS {
            let full = Extent::Full.cases(format, &[2]);
            let quick = Extent::Quick.cases(format, &[2]);
            assert!(!quick.is_empty() && quick.iter().all(|case| full.contains(case)));
        }
    }
}
