//! A kernel of the Rust side.

use std::sync::{Arc, Mutex, PoisonError};

use qk256::format::{Storage, Weights};
use qk256::kernel::Kernel;
use qk256::matmul::matmul;
use qk256::threads::Threads;

use crate::implementation::{Implementation, SideError};

/// A kernel of `qk256`'s registry, with the threads that were asked for last.
pub struct KernelSide {
    kernel: &'static Kernel,
    pool: Mutex<(usize, Arc<Threads>)>,
}

impl KernelSide {
    /// The side that `kernel` is.
    pub fn new(kernel: &'static Kernel) -> KernelSide {
        KernelSide {
            kernel,
            pool: Mutex::new((1, Arc::new(Threads::ONE))),
        }
    }

    /// The pool of so many threads. The lock is not held while it works: a thread that waits for it may be lent to
    /// another product of this side.
    fn threads(&self, threads: usize) -> Result<Arc<Threads>, SideError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.0 != threads {
            let started = Threads::new(threads).map_err(|error| self.failed("products", error))?;
            *pool = (threads, Arc::new(started));
        }
        Ok(Arc::clone(&pool.1))
    }

    fn failed(&self, operation: &'static str, error: impl ToString) -> SideError {
        SideError::Failed {
            side: self.id().into(),
            operation,
            reason: error.to_string(),
        }
    }
}

impl Implementation for KernelSide {
    fn id(&self) -> &str {
        self.kernel.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        if storage.format() != self.kernel.format() {
            return Err(SideError::Undefined {
                side: self.id().into(),
                reason: format!("multiplies no {}", storage.format().id),
            });
        }
        self.kernel
            .availability()
            .map_err(|missing| SideError::Unavailable {
                side: self.id().into(),
                reason: missing.to_string(),
            })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError> {
        self.defined_on(weights.storage())?;
        let mut dots = vec![0; out.len()];
        self.kernel
            .dots(weights, 0..weights.rows(), activations, &mut dots)
            .map_err(|error| self.failed("dots", error))?;
        for (out, dot) in out.iter_mut().zip(dots) {
            *out = i64::from(dot);
        }
        Ok(())
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        // Before the operands are looked at: what cannot run refuses nothing.
        self.defined_on(weights.storage())?;
        let threads = self.threads(threads)?;
        matmul(self.kernel, weights, activations, &threads, out)
            .map_err(|error| self.failed("products", error))
    }
}
