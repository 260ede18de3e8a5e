//! What a run works on, beside its sides.

use indicatif::ProgressBar;

use crate::decoding::Decoding;
use crate::model::TernaryTensor;
use crate::shard::Shard;

/// The work of a run.
pub struct Task<'a> {
    /// How the model is named on a command line.
    pub model: String,
    /// Its ternary tensors.
    pub tensors: Vec<TernaryTensor<'a>>,
    /// What the model decodes, or why it is not run.
    pub decoding: Result<Decoding, String>,
    /// Seed of all pseudo-random inputs.
    pub seed: u64,
    /// Which part of the work is done.
    pub shard: Shard,
    /// Takes a step for each piece of work; hidden where nobody looks.
    pub progress: ProgressBar,
}

impl Task<'_> {
    /// The command that checks the model again, with these options.
    pub fn command(&self, options: &str) -> String {
        let words = ["harness check", &self.model, options];
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
