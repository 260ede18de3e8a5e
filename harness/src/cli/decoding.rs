//! Options that say what a model decodes.

use std::num::NonZeroUsize;

use clap::Args;

use super::CliError;
use super::isolation::Isolation;
use crate::decoding::{Decoding, default_tokens};
use crate::inference::{Inference, InferenceError, InferenceParams};
use crate::model::Model;
use crate::side::Reference;

/// What a model decodes, and how.
#[derive(Debug, Args)]
pub(super) struct DecodingSelection {
    /// Tokens that the model decodes, separated by commas: most in one go, the last two alone [default: eight that fit]
    #[arg(
        long,
        value_name = "IDS",
        value_delimiter = ',',
        num_args = 1,
        conflicts_with = "prompt"
    )]
    tokens: Option<Vec<u32>>,
    /// Text that the model decodes, tokenized with the oracle's own vocabulary
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Threads that each side decodes with
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
    #[command(flatten)]
    isolation: Isolation,
}

impl DecodingSelection {
    /// The tokens that were asked for.
    pub(super) fn tokens(&self) -> Option<Vec<u32>> {
        self.tokens.clone()
    }

    /// The text that was asked for.
    pub(super) fn prompt(&self) -> Option<String> {
        self.prompt.clone()
    }

    /// Threads of each side.
    pub(super) fn threads(&self) -> usize {
        self.threads.get()
    }

    /// The references, running models in processes of their own: what these do to a model, or it to them, is survived.
    pub(super) fn isolate(&self, references: Vec<Reference>) -> Vec<Reference> {
        let workers = self.isolation.workers();
        let references = references.into_iter();
        references
            .map(|reference| reference.in_workers(&workers))
            .collect()
    }

    /// What is decoded, or why nothing can be.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for tokens outside the model's vocabulary.
    pub(super) fn of(
        &self,
        model: &Model,
        references: &[Reference],
    ) -> Result<Result<Decoding, String>, CliError> {
        let vocabulary = vocabulary(model);
        let tokens = match (&self.tokens, &self.prompt) {
            (Some(tokens), _) => {
                require_tokens(tokens, vocabulary)?;
                Ok(tokens.clone())
            }
            (None, Some(text)) => tokenize(text, model, references),
            (None, None) => Ok(default_tokens(vocabulary.unwrap_or(1))),
        };
        let decoding = |tokens| Decoding::new(model.path().to_owned(), tokens, self.threads.get());
        Ok(tokens.map(decoding))
    }
}

/// An error for the first token that the vocabulary does not have.
///
/// # Errors
///
/// [`CliError::Usage`].
pub(super) fn require_tokens(tokens: &[u32], vocabulary: Option<usize>) -> Result<(), CliError> {
    let Some(vocabulary) = vocabulary else {
        return Ok(());
    };
    match tokens.iter().find(|&&token| token as usize >= vocabulary) {
        None => Ok(()),
        Some(token) => Err(CliError::Usage(format!(
            "token {token} lies outside the model's vocabulary of {vocabulary}"
        ))),
    }
}

/// Tokens in the vocabulary, if the file has an embedding for each.
pub(super) fn vocabulary(model: &Model) -> Option<usize> {
    let embedding = model.gguf().find_tensor("token_embd.weight")?;
    Some(embedding.rows())
}

/// The tokens of a text in the words of the first oracle that runs models.
fn tokenize(text: &str, model: &Model, references: &[Reference]) -> Result<Vec<u32>, String> {
    let engine = references
        .iter()
        .find_map(|reference| reference.engine.as_deref())
        .ok_or("no oracle tokenizes the prompt")?;
    // Only the vocabulary is wanted.
    let params = InferenceParams {
        n_ctx: 1,
        n_ubatch: 1,
        threads: 1,
    };
    let mut tokens = Ok(Vec::new());
    let mut work = |inference: &mut dyn Inference| tokens = inference.tokenize(text);
    engine
        .with_model(model.path(), &params, &mut work)
        .map_err(words)?;
    match tokens.map_err(words)? {
        none if none.is_empty() => Err("the prompt has no tokens".into()),
        tokens => Ok(tokens),
    }
}

fn words(error: InferenceError) -> String {
    format!("the prompt cannot be tokenized: {error}")
}
