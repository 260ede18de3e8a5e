//! Language models: the forward pass from raw quantized bytes to logits, in ggml's own arithmetic.
//!
//! # Glossary
//!
//! - **residual stream**: the row of each token that layers read and add to.
//! - **head**: a slice of queries, keys and values that attends by itself; a *KV head* serves several heads.
//! - **ubatch**: the tokens that are computed in one go.
//! - **node**: a named intermediate result; see [`Trace`].
//!
//! Weights stay in the file's map as they are; a [`Model`] borrows them. A [`Context`] adds what a sequence needs:
//! threads, and the keys and values of its positions. The result is that of the AVX2 and FMA code of
//! `bitnet-cpp-sys` 0.0.5 to the bit, whatever this CPU, the number of threads or the size of ubatches are.

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

/// A model whose every tensor was found and checked.
#[derive(Debug)]
pub struct Model<'a> {
    config: Config,
    tensors: Tensors<'a>,
}

impl<'a> Model<'a> {
    /// Reads metadata and finds the tensors. Their data is not looked at, but for norms and scales.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for an unsupported architecture, a metadata value that cannot be, and a tensor that is missing,
    /// misshapen, of a type that its role does not allow, or of no use to the architecture.
    pub fn load(gguf: &Gguf<'a>, params: &LoadParams<'_>) -> Result<Model<'a>, ModelError> {
        Model::with_config(gguf, Config::read(gguf)?, params)
    }

    /// As [`Model::load`], computing as `config` says in place of the metadata: the same weights in another graph, to
    /// see what a mistake in it does. Sizes are not up for change.
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

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.tensors.embedding.rows()
    }

    /// The kernels that multiply the ternary matrices, each once.
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
