//! The tokens that a run of a model decodes and the parameters of the run.

use std::path::PathBuf;

use crate::inference::{Engine, Inference, InferenceError, InferenceParams};

/// Number of tokens that are decoded one at a time, after the prefill.
const SINGLE: usize = 2;

/// Default number of tokens.
const TOKENS: usize = 8;

/// Upper limit of tokens computed at once.
const MAX_UBATCH: usize = 512;

/// The tokens and parameters of a run of a model, the same for every participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    /// The model file.
    pub model: PathBuf,
    /// All tokens; never empty.
    pub tokens: Vec<u32>,
    /// Number of tokens of the first decode, at least 1. The others are decoded one at a time.
    prefill: usize,
    /// Parameters for opening the model.
    pub params: InferenceParams,
}

impl Decoding {
    /// Sets the context to the number of tokens and makes the prefill take two batches. This runs every path of a
    /// forward pass: several batches, an empty and a filled cache, and single tokens.
    ///
    /// # Panics
    ///
    /// If there are no tokens.
    pub fn new(model: PathBuf, tokens: Vec<u32>, threads: usize) -> Decoding {
        assert!(!tokens.is_empty(), "a run decodes at least one token");
        let prefill = prefill(tokens.len());
        Decoding {
            model,
            params: InferenceParams {
                n_ctx: tokens.len(),
                n_ubatch: prefill.div_ceil(2).min(MAX_UBATCH),
                threads,
            },
            tokens,
            prefill,
        }
    }

    /// The tokens of each decode: the prefill, then one decode for each of the last tokens.
    pub fn decodes(&self) -> Vec<&[u32]> {
        let (first, single) = self.tokens.split_at(self.prefill);
        std::iter::once(first).chain(single.chunks(1)).collect()
    }

    /// The same run with every token decoded alone.
    #[must_use]
    pub fn in_single_tokens(&self) -> Decoding {
        Decoding {
            prefill: 1,
            ..self.clone()
        }
    }

    /// The same run on another number of threads.
    #[must_use]
    pub fn on_threads(&self, threads: usize) -> Decoding {
        let mut other = self.clone();
        other.params.threads = threads;
        other
    }

    /// The logits of all tokens by an engine, `tokens x vocabulary`, row-major.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if the model cannot be opened or run.
    pub fn logits(&self, engine: &dyn Engine) -> Result<Vec<f32>, InferenceError> {
        let mut result = Ok(Vec::new());
        let mut work = |inference: &mut dyn Inference| {
            let decodes = self.decodes();
            let decoded: Result<Vec<Vec<f32>>, InferenceError> = decodes
                .iter()
                .map(|tokens| inference.decode(tokens, None))
                .collect();
            result = decoded.map(|decoded| decoded.concat());
        };
        engine.with_model(&self.model, &self.params, &mut work)?;
        result
    }
}

fn prefill(tokens: usize) -> usize {
    tokens.saturating_sub(SINGLE).max(1)
}

/// Default tokens for a vocabulary of this size. They are distinct if the vocabulary is large enough.
pub fn default_tokens(vocabulary: usize) -> Vec<u32> {
    let vocabulary = u32::try_from(vocabulary).unwrap_or(u32::MAX).max(1);
    (1..=TOKENS as u32).map(|i| i * 37 % vocabulary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefill_and_then_single_tokens() {
        let lengths = |n: u32| {
            let decoding = Decoding::new(PathBuf::new(), (0..n).collect(), 1);
            let decodes: Vec<usize> = decoding.decodes().iter().map(|d| d.len()).collect();
            (decodes, decoding.params.n_ubatch)
        };
        assert_eq!(lengths(1), (vec![1], 1));
        assert_eq!(lengths(2), (vec![1, 1], 1));
        assert_eq!(lengths(8), (vec![6, 1, 1], 3));
        assert_eq!(lengths(2000).1, 512);
    }

    #[test]
    fn default_tokens_fit_every_vocabulary() {
        for vocabulary in [1, 2, 7, 320, 128_256] {
            let tokens = default_tokens(vocabulary);
            assert!(tokens.iter().all(|&token| (token as usize) < vocabulary));
        }
        let tokens = default_tokens(320);
        assert!((1..8).all(|i| !tokens[..i].contains(&tokens[i])));
    }
}
