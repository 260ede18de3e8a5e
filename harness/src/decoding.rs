//! What a run of a model decodes, and how.

use std::path::PathBuf;

use crate::inference::InferenceParams;

/// Tokens that are decoded one at a time, after all others went in one go.
const SINGLE: usize = 2;

/// How many tokens a run decodes if nobody says.
const TOKENS: usize = 8;

/// Tokens that are computed in one go at most.
const MAX_UBATCH: usize = 512;

/// What a run of a model decodes, and how. Every side decodes the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    /// The model file.
    pub model: PathBuf,
    /// All tokens, at least one.
    pub tokens: Vec<u32>,
    /// How the model is opened.
    pub params: InferenceParams,
}

impl Decoding {
    /// The tokens fill the context, and the prefill takes two batches, so that every path through a forward pass is
    /// taken: batches and the border between them, a cache that is empty and one that is not, single tokens.
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
        }
    }

    /// The tokens of each decode: most of them first, then the last ones alone.
    pub fn decodes(&self) -> Vec<&[u32]> {
        let (first, single) = self.tokens.split_at(prefill(self.tokens.len()));
        std::iter::once(first).chain(single.chunks(1)).collect()
    }

    /// Options of a command line that decodes the same.
    pub fn options(&self) -> String {
        let tokens: Vec<String> = self.tokens.iter().map(ToString::to_string).collect();
        format!(
            "--tokens {} --threads {}",
            tokens.join(","),
            self.params.threads
        )
    }
}

fn prefill(tokens: usize) -> usize {
    tokens.saturating_sub(SINGLE).max(1)
}

/// Tokens for a vocabulary of this size, different ones where it has enough.
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
