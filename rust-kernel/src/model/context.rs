//! The state of a sequence: threads, key-value cache, and number of decoded positions.

use super::attention::Span;
use super::cache::{Cache, POSITIONS};
use super::error::ModelError;
use super::forward::Pass;
use super::trace::{Trace, Tracer};
use super::{Model, Rope};
use crate::dense::Element;
use crate::threads::Threads;

/// The parameters of a context. Only `kv` affects results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextParams {
    /// Maximum number of positions, at least 1. It is rounded up to a multiple of 32.
    pub n_ctx: usize,
    /// Maximum number of tokens computed at once, at least 1.
    pub n_ubatch: usize,
    /// Number of threads, at least 1.
    pub threads: usize,
    /// Element type of cached keys and values.
    pub kv: Element,
}

impl Default for ContextParams {
    /// 512 positions, computed at once on one thread, with an f16 cache.
    fn default() -> Self {
        ContextParams {
            n_ctx: 512,
            n_ubatch: 512,
            threads: 1,
            kv: Element::F16,
        }
    }
}

/// A sequence of tokens that a model is decoding.
#[derive(Debug)]
pub struct Context<'m> {
    model: &'m Model<'m>,
    threads: Threads,
    caches: Vec<Cache>,
    positions: usize,
    n_ubatch: usize,
    decoded: usize,
}

impl<'m> Context<'m> {
    /// An empty context. In addition to the map of the model it uses `2 * n_ctx * kv_width` elements per layer, and
    /// activations of `n_ubatch` tokens while decoding.
    ///
    /// # Errors
    ///
    /// [`ModelError::Parameter`], [`ModelError::Memory`], [`ModelError::Threads`].
    pub fn new(model: &'m Model<'m>, params: ContextParams) -> Result<Context<'m>, ModelError> {
        let least = [
            ("n_ctx", params.n_ctx),
            ("n_ubatch", params.n_ubatch),
            ("threads", params.threads),
        ];
        if let Some(&(parameter, found)) = least.iter().find(|(_, value)| *value == 0) {
            let wanted = "at least 1";
            return Err(ModelError::Parameter {
                parameter,
                found,
                wanted,
            });
        }
        let memory = ModelError::Memory {
            positions: params.n_ctx,
        };
        let positions = params
            .n_ctx
            .checked_next_multiple_of(POSITIONS)
            .ok_or(memory)?;
        let config = model.config();
        let cache = |_| Cache::new(params.kv, positions, config.kv_width());
        Ok(Context {
            model,
            caches: (0..config.layers).map(cache).collect::<Result<_, _>>()?,
            threads: Threads::new(params.threads)?,
            positions,
            n_ubatch: params.n_ubatch,
            decoded: 0,
        })
    }

    /// Maximum number of positions.
    pub fn n_ctx(&self) -> usize {
        self.positions
    }

    /// Number of decoded positions. Positions removed by [`rewind`](Context::rewind) are not counted.
    pub fn decoded(&self) -> usize {
        self.decoded
    }

    /// Removes the positions from `position` on, so that the next decode starts there. Does nothing if fewer positions
    /// are decoded.
    pub fn rewind(&mut self, position: usize) {
        self.decoded = self.decoded.min(position);
    }

    /// Decodes tokens at the positions after those decoded so far, `n_ubatch` at a time. Returns their logits,
    /// `tokens.len() x vocabulary`, row-major. `trace` receives every node right after its computation.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoTokens`], [`ModelError::Token`] and [`ModelError::ContextFull`] before anything is computed;
    /// [`ModelError::Product`] and [`ModelError::DenseProduct`] if activations are not finite. Positions that were
    /// decoded before the call remain.
    pub fn decode(
        &mut self,
        tokens: &[u32],
        trace: &mut dyn Trace,
    ) -> Result<Vec<f32>, ModelError> {
        self.check_tokens(tokens)?;
        let first = self.decoded;
        let mut tracer = Tracer::new(trace);
        let mut logits = Vec::with_capacity(tokens.len() * self.model.vocabulary());
        for (index, tokens) in tokens.chunks(self.n_ubatch).enumerate() {
            let first = first + index * self.n_ubatch;
            logits.extend(self.batch(first, tokens, &mut tracer)?);
        }
        self.decoded = first + tokens.len();
        Ok(logits)
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), ModelError> {
        let vocabulary = self.model.vocabulary();
        if tokens.is_empty() {
            return Err(ModelError::NoTokens);
        }
        if let Some(index) = tokens
            .iter()
            .position(|&token| token as usize >= vocabulary)
        {
            let token = tokens[index];
            return Err(ModelError::Token {
                index,
                token,
                vocabulary,
            });
        }
        if tokens.len() > self.positions - self.decoded {
            return Err(ModelError::ContextFull {
                tokens: tokens.len(),
                decoded: self.decoded,
                positions: self.positions,
            });
        }
        Ok(())
    }

    fn batch(
        &mut self,
        first: usize,
        tokens: &[u32],
        tracer: &mut Tracer<'_>,
    ) -> Result<Vec<f32>, ModelError> {
        let end = first + tokens.len();
        let tensors = self.model.tensors();
        let rope: &Rope = &self.model.config().rope;
        let factors = tensors.rope_factors.as_deref();
        let mut pass = Pass {
            config: self.model.config(),
            threads: &self.threads,
            tracer,
            span: Span {
                first,
                tokens: tokens.len(),
                positions: end.next_multiple_of(POSITIONS),
            },
            rotations: (first..end)
                .map(|position| rope.rotation(position, factors))
                .collect(),
        };
        pass.run(tensors, &mut self.caches, tokens)
    }
}
