//! The levels of comparison, each of which rests on the one before. Each has a file with the same functions: `run` runs
//! every candidate against every oracle, and `steps` returns the number of progress steps.

mod block;
mod engine_pairs;
mod invariance;
mod known;
mod logits;
mod lut;
mod node;
mod node_counter;
mod refusal;
mod stream;
mod tensor;

use crate::levels::Level;
use crate::outcome::Outcome;
use crate::participant::Participants;
use crate::task::Task;

/// Runs a level or the task's shard of it.
pub fn run(level: Level, participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    if of_another_shard(level, task) {
        return Vec::new();
    }
    match level {
        Level::Lut => lut::run(participants, task),
        Level::Block => block::run(participants, task),
        Level::Tensor => tensor::run(participants, task),
        Level::Node => node::run(participants, task),
        Level::Logits => logits::run(participants, task),
    }
}

/// Number of progress steps that [`run`] reports.
pub fn steps(level: Level, participants: &Participants, task: &Task<'_>) -> u64 {
    if of_another_shard(level, task) {
        return 0;
    }
    match level {
        Level::Lut => lut::steps(participants, task),
        Level::Block => block::steps(participants),
        Level::Tensor => tensor::steps(task),
        Level::Node => node::steps(task),
        Level::Logits => logits::steps(participants, task),
    }
}

/// Whether the level belongs to another shard. A forward pass cannot be split, so the level is one item.
fn of_another_shard(level: Level, task: &Task<'_>) -> bool {
    let item = Level::OF_MODELS
        .iter()
        .position(|&of_models| of_models == level);
    item.is_some_and(|item| !task.shard.owns(item as u64))
}
