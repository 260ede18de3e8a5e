//! Language models: the forward pass from raw quantized bytes to logits, in ggml's arithmetic.
//!
//! # Glossary
//!
//! - **residual stream**: the row of each token that layers read and add to.
//! - **head**: a slice of queries, keys and values with its own attention. Several heads share a *KV head*.
//! - **ubatch**: the tokens that are computed at once.
//! - **node**: a named intermediate result; see [`Trace`].
//!
//! A [`Model`] borrows its weights from the map of the file. A [`Context`] adds the state of a sequence: threads, and
//! the keys and values of its positions. Results equal those of the AVX2 and FMA code of `bitnet-cpp-sys` 0.0.5 bit for
//! bit. They do not depend on this CPU, the number of threads or the size of ubatches.

mod attention;
mod cache;
mod config;
mod context;
mod error;
mod forward;
mod linear;
mod rope;
#[cfg(test)]
mod tests;
mod trace;
mod weights;

pub use config::{Architecture, Config, Gate};
pub use context::{Context, ContextParams};
pub use error::ModelError;
pub use rope::{Pairing, Rope};
pub use trace::{NoTrace, Node, Trace};
pub use weights::LoadParams;

use weights::{Layer, Tensors};

use crate::gguf::Gguf;
use crate::kernel::Kernel;

/// A model with all its tensors found and checked.
#[derive(Debug)]
pub struct Model<'a> {
    config: Config,
    tensors: Tensors<'a>,
}

impl<'a> Model<'a> {
    /// Reads the metadata and finds the tensors. Only the data of norms and scales is read.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for an unsupported architecture, an invalid metadata value, or a tensor that is missing, has the
    /// wrong shape or type, or is not used by the architecture.
    pub fn load(gguf: &Gguf<'a>, params: &LoadParams<'_>) -> Result<Model<'a>, ModelError> {
        Model::with_config(gguf, Config::read(gguf)?, params)
    }

    /// As [`Model::load`], with `config` in place of the metadata: the same weights in another graph. Mutants of the
    /// graph use it. Sizes must not be changed.
    ///
    /// # Errors
    ///
    /// As [`Model::load`].
    pub fn with_config(
        gguf: &Gguf<'a>,
        config: Config,
        params: &LoadParams<'_>,
    ) -> Result<Model<'a>, ModelError> {
        let tensors = Tensors::load(gguf, &config, params)?;
        Ok(Model { config, tensors })
    }

    /// Sizes and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Number of tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.tensors.embedding.rows()
    }

    /// The kernels of the ternary matrices, without duplicates.
    pub fn kernels(&self) -> Vec<&'static Kernel> {
        let mut kernels: Vec<&'static Kernel> = Vec::new();
        let linears = self.tensors.layers.iter().flat_map(Layer::linears);
        for kernel in linears
            .chain([&self.tensors.output])
            .filter_map(|linear| linear.kernel())
        {
            if !kernels.iter().any(|known| known.id() == kernel.id()) {
                kernels.push(kernel);
            }
        }
        kernels
    }

    fn tensors(&self) -> &Tensors<'a> {
        &self.tensors
    }
}
