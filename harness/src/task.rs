//! The inputs of a run, apart from its participants.

use crate::decoding::Decoding;
use crate::levels::Level;
use crate::model::TernaryTensor;
use crate::progress::Progress;
use crate::rerun::{Rerun, RerunDecoding};
use crate::shard::Shard;

/// The inputs of a run.
pub struct Task<'a> {
    /// The model as named on the command line.
    pub model: String,
    /// Ternary tensors of the model.
    pub tensors: Vec<TernaryTensor<'a>>,
    /// The tokens that the model decodes, or the reason why it is not run.
    pub decoding: Result<Decoding, String>,
    /// Seed of all pseudo-random inputs.
    pub seed: u64,
    /// The part of the work that this run does.
    pub shard: Shard,
    /// Receives progress events. A step is one piece of work.
    pub progress: Progress,
}

impl Task<'_> {
    /// The command that runs all cases of a level of this task again.
    pub fn rerun(&self, level: Level) -> Rerun {
        let is_random = matches!(level, Level::Block | Level::Tensor);
        let decoding = self.decoding.as_ref().ok();
        let decoding = decoding.filter(|_| Level::OF_MODELS.contains(&level));
        Rerun::Check {
            model: self.model.clone(),
            level,
            seed: is_random.then_some(self.seed),
            decoding: decoding.map(|decoding| RerunDecoding {
                tokens: decoding.tokens.clone(),
                threads: decoding.params.threads,
            }),
        }
    }
}
