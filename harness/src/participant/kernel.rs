//! Kernels of the Rust implementation as implementations.

use std::sync::{Arc, Mutex, PoisonError};

use qk256::format::{Storage, Weights};
use qk256::kernel::Kernel;
use qk256::matmul::matmul;
use qk256::threads::Threads;

use crate::implementation::{Implementation, ImplementationError};

/// A kernel of `qk256`'s registry, with the thread pool of the last call.
pub struct KernelImplementation {
    kernel: &'static Kernel,
    pool: Mutex<(usize, Arc<Threads>)>,
}

impl KernelImplementation {
    /// Wraps a kernel.
    pub fn new(kernel: &'static Kernel) -> KernelImplementation {
        KernelImplementation {
            kernel,
            pool: Mutex::new((1, Arc::new(Threads::ONE))),
        }
    }

    /// A pool of `threads` threads. The lock is not held while the pool works, because a waiting thread may be used for
    /// another product of this implementation.
    fn threads(&self, threads: usize) -> Result<Arc<Threads>, ImplementationError> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.0 != threads {
            let started = Threads::new(threads).map_err(|error| self.failed("products", error))?;
            *pool = (threads, Arc::new(started));
        }
        Ok(Arc::clone(&pool.1))
    }

    fn failed(&self, operation: &'static str, error: impl ToString) -> ImplementationError {
        ImplementationError::failed(self.id(), operation, error)
    }
}

impl Implementation for KernelImplementation {
    fn id(&self) -> &str {
        self.kernel.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        if storage.format() != self.kernel.format() {
            return Err(ImplementationError::Undefined {
                implementation: self.id().into(),
                reason: format!("multiplies no {}", storage.format().id),
            });
        }
        self.kernel
            .availability()
            .map_err(|missing| ImplementationError::Unavailable {
                implementation: self.id().into(),
                reason: missing.to_string(),
            })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
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
    ) -> Result<(), ImplementationError> {
        // Checked before the operands, because a kernel that cannot run must not appear to refuse them.
        self.defined_on(weights.storage())?;
        let threads = self.threads(threads)?;
        matmul(self.kernel, weights, activations, &threads, out)
            .map_err(|error| self.failed("products", error))
    }
}
