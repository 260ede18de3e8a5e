//! Options that say what a model decodes.

use std::num::NonZeroUsize;

use clap::Args;

use super::isolation::Isolation;
use super::{CliError, threads};
use crate::decoding::{Decoding, default_tokens};
use crate::inference::{Inference, InferenceParams};
use crate::model::Model;
use crate::outcome::Rung;
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
    /// Threads that each side decodes with, at most 64 for each core
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads::parse)]
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
    /// [`CliError::Usage`] for tokens outside the model's vocabulary, and for a prompt without tokens;
    /// [`CliError::Setup`] if nobody can tokenize the prompt.
    pub(super) fn of(&self, model: &Model, references: &[Reference]) -> Result<Decoding, CliError> {
        let vocabulary = vocabulary(model);
        let tokens = match (&self.tokens, &self.prompt) {
            (Some(tokens), _) => {
                require_tokens(tokens, vocabulary)?;
                tokens.clone()
            }
            (None, Some(text)) => tokenize(text, model, references)?,
            (None, None) => default_tokens(vocabulary.unwrap_or(1)),
        };
        let path = model.path().to_owned();
        Ok(Decoding::new(path, tokens, self.threads.get()))
    }

    /// An error for what was asked to be decoded, where nothing is.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`].
    pub(super) fn require_nothing(&self) -> Result<(), CliError> {
        let option = match (&self.tokens, &self.prompt) {
            (Some(_), _) => "--tokens",
            (None, Some(_)) => "--prompt",
            (None, None) => return Ok(()),
        };
        let rungs = Rung::OF_MODELS.map(Rung::name).join(" or ");
        Err(CliError::Usage(format!(
            "{option} says what the model decodes, which it does on the rungs {rungs} alone: ask for one of them too"
        )))
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

/// The tokens of a text in the vocabulary of the model, by the first oracle that runs models.
///
/// # Errors
///
/// [`CliError::Setup`] if there is no vocabulary, or nobody to read it; [`CliError::Usage`] if the text has no tokens.
fn tokenize(text: &str, model: &Model, references: &[Reference]) -> Result<Vec<u32>, CliError> {
    let failed =
        |reason: String| CliError::Setup(format!("--prompt cannot be tokenized: {reason}"));
    let engine = references
        .iter()
        .find_map(|reference| reference.engine.as_deref())
        .ok_or_else(|| failed("no oracle that runs models is here".into()))?;
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
        .and(tokens)
        .map_err(|error| failed(error.to_string()))
        .and_then(|tokens| match &tokens[..] {
            [] => Err(CliError::Usage("--prompt has no tokens".into())),
            _ => Ok(tokens),
        })
}
