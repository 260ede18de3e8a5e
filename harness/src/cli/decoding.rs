//! Options for the tokens that a model decodes.

use std::num::NonZeroUsize;

use clap::Args;

use super::isolation::Isolation;
use super::{CliError, threads};
use crate::decoding::{Decoding, default_tokens};
use crate::inference::{Inference, InferenceParams};
use crate::levels::Level;
use crate::model::Model;
use crate::participant::Reference;
use crate::participant::worker::WorkerParams;
use crate::receipt::CheckParameters;

/// The tokens that a model decodes and the number of threads.
#[derive(Debug, Args)]
pub(super) struct DecodingSelection {
    /// Tokens that the model decodes, separated by commas: the last two one at a time, the others at once [default:
    /// eight tokens of the vocabulary]
    #[arg(
        long,
        value_name = "IDS",
        value_delimiter = ',',
        num_args = 1,
        conflicts_with = "prompt"
    )]
    tokens: Option<Vec<u32>>,
    /// Text that the model decodes, tokenized with the oracle's vocabulary
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Number of threads for decoding, at most 64 per core
    #[arg(long, value_name = "N", default_value = "1", value_parser = threads::parse)]
    threads: NonZeroUsize,
    #[command(flatten)]
    isolation: Isolation,
}

impl DecodingSelection {
    /// The selection recorded in the receipt of a check.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for a number of threads that this machine does not support.
    pub(super) fn recorded(parameters: &CheckParameters) -> Result<DecodingSelection, CliError> {
        Ok(DecodingSelection {
            tokens: parameters.tokens.clone(),
            prompt: parameters.prompt.clone(),
            threads: threads::checked(parameters.threads).map_err(CliError::Usage)?,
            isolation: Isolation::default(),
        })
    }

    /// The requested tokens.
    pub(super) fn tokens(&self) -> Option<Vec<u32>> {
        self.tokens.clone()
    }

    /// The requested text.
    pub(super) fn prompt(&self) -> Option<String> {
        self.prompt.clone()
    }

    /// Number of threads of each implementation.
    pub(super) fn threads(&self) -> usize {
        self.threads.get()
    }

    /// How worker processes are started.
    pub(super) fn workers(&self) -> WorkerParams {
        self.isolation.workers()
    }

    /// Wraps the oracles so that they run models in worker processes. The run survives a crash of a worker.
    pub(super) fn isolate(&self, references: Vec<Reference>) -> Vec<Reference> {
        let workers = self.isolation.workers();
        let references = references.into_iter();
        references
            .map(|reference| reference.in_workers(&workers))
            .collect()
    }

    /// The tokens to decode, or the reason why nothing can be decoded.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] for tokens outside the model's vocabulary and for a prompt without tokens.
    /// [`CliError::Setup`] if no oracle can tokenize the prompt.
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

    /// Returns an error if tokens or a prompt were requested although nothing is decoded.
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
        let levels = Level::OF_MODELS.map(Level::name).join(" or ");
        Err(CliError::Usage(format!(
            "{option} is used only on the levels {levels}: request one of them too"
        )))
    }
}

/// Returns an error for the first token outside the vocabulary.
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

/// Size of the vocabulary, if the file has an embedding for each token.
pub(super) fn vocabulary(model: &Model) -> Option<usize> {
    let embedding = model.gguf().find_tensor("token_embd.weight")?;
    Some(embedding.rows())
}

/// Tokenizes a text with the vocabulary of the model, using the first oracle that runs models.
///
/// # Errors
///
/// [`CliError::Setup`] if there is no vocabulary or no oracle that can read it. [`CliError::Usage`] if the text has no
/// tokens.
fn tokenize(text: &str, model: &Model, references: &[Reference]) -> Result<Vec<u32>, CliError> {
    let failed =
        |reason: String| CliError::Setup(format!("--prompt cannot be tokenized: {reason}"));
    let engine = references
        .iter()
        .find_map(|reference| reference.engine.as_deref())
        .ok_or_else(|| failed("no available oracle runs models".into()))?;
    // Only the vocabulary is used.
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
