//! Kernels: the arithmetic between packed weights and activations, one for each format and instruction set.
//!
//! # Glossary
//!
//! - **dot**: `sum(raw * a)` over one row, an exact integer. Raw numbers are those of the
//!   [`Codebook`](crate::format::Codebook), activations `a` are int8.
//! - **product**: the f32 result of a row and one activation row, with scales applied in the reference's order.
//! - **batch**: the number of activation rows that are multiplied in one call.
//!
//! The registry, [`all`], contains every kernel, whether this CPU can run it or not. Code that iterates over it
//! includes new kernels automatically. A [`Kernel`] checks shapes, counts its calls and runs a `Compute`. `naive` is
//! the definition, and `scalar` is the portable fast path. All others are one algorithm (`generic`) over the operations
//! of each instruction set (`vector`).

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod arithmetic;
pub(crate) mod block;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod float16;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod generic;
mod naive;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod trits;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

#[cfg(target_arch = "x86_64")]
pub use crate::isa::{Avx2, Avx512Bw, Avx512Vnni, AvxVnni};
#[cfg(target_arch = "aarch64")]
pub use crate::isa::{Dotprod, Neon};
pub use crate::isa::{Isa, Unavailable};
pub use arithmetic::SumOrder;
pub use block::Vintage;

use crate::activation::ActivationsRef;
use crate::format::{FORMATS, Format, ShapeError, Weights};

/// The arithmetic of one kernel. [`Kernel`] checks all lengths and ranges before it calls these methods.
///
/// Results are batch-major: `out[b * rows.len() + r]` belongs to activation row `b` and weight row `rows.start + r`.
trait Compute: Send + Sync {
    /// Exact integer dots of `rows` with each row of `activations`: `batch x weights.cols()` codes, row-major.
    fn dots(&self, weights: &Weights<'_>, rows: Range<usize>, activations: &[i8], out: &mut [i32]);

    /// f32 products with quantized activations.
    fn products(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    );

    /// f32 products with f32 activations.
    fn products_f32(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[f32],
        out: &mut [f32],
    );

    /// Weights as f32, `rows.len() x cols`.
    fn unpack(&self, weights: &Weights<'_>, rows: Range<usize>, out: &mut [f32]);
}

/// An instruction set with its arithmetic for a format, or with the feature that this CPU lacks.
type IsaCompute = (Isa, Result<Box<dyn Compute>, Unavailable>);

/// Why a kernel did not run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KernelError {
    /// The shapes of weights, activations and output do not match.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The kernel multiplies another format.
    #[error("kernel {kernel} was given weights in {found}")]
    Format {
        /// Kernel id.
        kernel: &'static str,
        /// Format id of the weights.
        found: &'static str,
    },
    /// The activations have another kind than the format's dot product requires.
    #[error("kernel {kernel} takes {wanted} activations and was given {found}")]
    Activation {
        /// Kernel id.
        kernel: &'static str,
        /// The kind that the format requires.
        wanted: &'static str,
        /// The kind that was given.
        found: &'static str,
    },
    /// This CPU cannot run the kernel.
    #[error("kernel {kernel}: {reason}")]
    Unavailable {
        /// Kernel id.
        kernel: &'static str,
        /// The missing feature.
        reason: Unavailable,
    },
}

/// A kernel of the registry.
pub struct Kernel {
    id: &'static str,
    format: &'static Format,
    isa: Isa,
    compute: Result<Box<dyn Compute>, Unavailable>,
    calls: AtomicU64,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("id", &self.id)
            .field("calls", &self.calls())
            .finish()
    }
}

impl Kernel {
    fn new(
        format: &'static Format,
        isa: Isa,
        compute: Result<Box<dyn Compute>, Unavailable>,
    ) -> Kernel {
        // The registry is built once and lives until the process ends.
        let id = Box::leak(format!("{}.{}", format.id, isa.name()).into_boxed_str());
        Kernel {
            id,
            format,
            isa,
            compute,
            calls: AtomicU64::new(0),
        }
    }

    /// Stable id, `format.isa`, such as `i2_s.group128.scalar`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The format that the kernel multiplies.
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether this CPU can run the kernel.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] with the missing feature.
    pub fn availability(&self) -> Result<(), Unavailable> {
        self.compute.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Number of calls in this process.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Exact integer dots: `out[b * rows.len() + r] = sum over columns of raw(rows.start + r) * activations(b)`.
    ///
    /// `activations` holds one or more rows of `weights.cols()` codes, `out` one integer for each pair of rows.
    ///
    /// # Errors
    ///
    /// [`KernelError`] if a length does not fit, if the weights have another format, or if this CPU lacks the
    /// instruction set.
    pub fn dots(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[i8],
        out: &mut [i32],
    ) -> Result<(), KernelError> {
        let compute = self.check_and_count(weights, &rows, activations.len(), out.len())?;
        compute.dots(weights, rows, activations, out);
        Ok(())
    }

    /// f32 products with quantized activations, in the reference's arithmetic.
    ///
    /// With [`ScaleRule::Tensor`](crate::format::ScaleRule::Tensor) the result is `(f32(dot) - f32(sum(a))) /
    /// activation_scale * scale`. With block scales, the integer sums of the blocks are added in f32 in the
    /// [`SumOrder`] of the reference. `out` is indexed as in [`Kernel::dots`].
    ///
    /// # Errors
    ///
    /// As [`Kernel::dots`], and [`KernelError::Activation`] if the activations have another kind.
    pub fn products<'a>(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: impl Into<ActivationsRef<'a>>,
        out: &mut [f32],
    ) -> Result<(), KernelError> {
        let activations = activations.into();
        if activations.kind() != self.format.activation {
            return Err(KernelError::Activation {
                kernel: self.id,
                wanted: self.format.activation.name(),
                found: activations.kind().name(),
            });
        }
        ShapeError::check(
            "columns of the activations",
            activations.cols(),
            weights.cols(),
        )?;
        let compute = self.check_and_count(weights, &rows, activations.codes().len(), out.len())?;
        compute.products(weights, rows, activations, out);
        Ok(())
    }

    /// f32 products with f32 activations.
    ///
    /// The order of additions is part of the definition and the same in every kernel. Lane `column % 32` adds its
    /// products in column order. Block scales are applied to each lane. The lanes are then folded in halves (lane `i`
    /// and `i + 16`, ...). `activations` is `batch x weights.cols()`, row-major, with any batch and any number of
    /// columns.
    ///
    /// # Errors
    ///
    /// As [`Kernel::dots`].
    pub fn products_f32(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[f32],
        out: &mut [f32],
    ) -> Result<(), KernelError> {
        let compute = self.check_and_count(weights, &rows, activations.len(), out.len())?;
        compute.products_f32(weights, rows, activations, out);
        Ok(())
    }

    /// Weights as f32, codebook value times scale: `out[r * cols + c]` for row `rows.start + r`.
    ///
    /// # Errors
    ///
    /// As [`Kernel::dots`].
    pub fn unpack(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), KernelError> {
        let compute = self.check_rows(weights, &rows)?;
        ShapeError::check("unpacked weights", out.len(), rows.len() * weights.cols())?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        compute.unpack(weights, rows, out);
        Ok(())
    }

    /// Checks the arguments of a product, and counts the call.
    fn check_and_count(
        &self,
        weights: &Weights<'_>,
        rows: &Range<usize>,
        activations: usize,
        out: usize,
    ) -> Result<&dyn Compute, KernelError> {
        let compute = self.check_rows(weights, rows)?;
        let batch = activations / weights.cols();
        ShapeError::check(
            "activations of whole rows",
            activations,
            batch * weights.cols(),
        )?;
        ShapeError::check("results", out, batch * rows.len())?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(compute)
    }

    /// Checks availability, format and rows.
    fn check_rows(
        &self,
        weights: &Weights<'_>,
        rows: &Range<usize>,
    ) -> Result<&dyn Compute, KernelError> {
        let compute = self
            .compute
            .as_ref()
            .map_err(|reason| KernelError::Unavailable {
                kernel: self.id,
                reason: reason.clone(),
            })?;
        if weights.format() != self.format {
            return Err(KernelError::Format {
                kernel: self.id,
                found: weights.format().id,
            });
        }
        if rows.start > rows.end || rows.end > weights.rows() {
            let Range { start, end } = *rows;
            return Err(ShapeError::RowRange {
                start,
                end,
                rows: weights.rows(),
            }
            .into());
        }
        Ok(compute.as_ref())
    }
}

static REGISTRY: LazyLock<Vec<Kernel>> = LazyLock::new(|| {
    let mut kernels = Vec::new();
    for format in FORMATS {
        kernels.push(Kernel::new(format, Isa::Naive, Ok(Box::new(naive::Naive))));
        kernels.push(Kernel::new(
            format,
            Isa::Scalar,
            Ok(Box::new(scalar::Scalar)),
        ));
        #[cfg(target_arch = "x86_64")]
        for (isa, compute) in x86_64::kernels(format) {
            kernels.push(Kernel::new(format, isa, compute));
        }
        #[cfg(target_arch = "aarch64")]
        for (isa, compute) in aarch64::kernels(format) {
            kernels.push(Kernel::new(format, isa, compute));
        }
    }
    kernels
});

/// All kernels of this build, whether this CPU can run them or not. The kernels of a format are ordered from slowest to
/// fastest.
pub fn all() -> &'static [Kernel] {
    &REGISTRY
}

/// The kernel with this id, if any.
pub fn by_id(id: &str) -> Option<&'static Kernel> {
    all().iter().find(|kernel| kernel.id() == id)
}

/// The fastest kernel for a format that this CPU can run.
///
/// # Panics
///
/// Never: every format has kernels that need no CPU features.
pub fn best(format: &Format) -> &'static Kernel {
    all()
        .iter()
        .filter(|kernel| kernel.format() == format && kernel.availability().is_ok())
        .max_by_key(|kernel| kernel.isa())
        .expect("every format has a naive kernel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_ids_name_the_instruction_set_and_only_its_features_are_missing() {
        for kernel in all() {
            assert_eq!(Isa::of_kernel(kernel.id()), Some(kernel.isa()));
            assert_eq!(kernel.availability(), kernel.isa().availability());
            if let Err(Unavailable { feature }) = kernel.availability() {
                assert!(
                    kernel.isa().features().contains(&feature),
                    "{}",
                    kernel.id()
                );
            }
        }
        assert_eq!(Isa::of_kernel("i2_s.group128.abacus"), None);
        assert_eq!(Isa::of_kernel("avx2"), None);
    }
}
