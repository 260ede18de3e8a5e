//! The rungs of the ladder, each resting on the one below. One file each, the same shape: `climb` runs every candidate
//! against every reference, `steps` says beforehand how many steps it will report.

mod block;
mod cast;
mod known;
mod ledger;
mod logits;
mod lut;
mod node;
mod refusal;
mod stream;
mod tensor;

use crate::outcome::{Outcome, Rung};
use crate::side::Sides;
use crate::task::Task;

/// Runs a rung, or the task's shard of it.
pub fn climb(rung: Rung, sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    if of_another_shard(rung, task) {
        return Vec::new();
    }
    match rung {
        Rung::Lut => lut::climb(sides, task),
        Rung::Block => block::climb(sides, task),
        Rung::Tensor => tensor::climb(sides, task),
        Rung::Node => node::climb(sides, task),
        Rung::Logits => logits::climb(sides, task),
    }
}

/// How many steps [`climb`] reports to the progress bar.
pub fn steps(rung: Rung, sides: &Sides, task: &Task<'_>) -> u64 {
    if of_another_shard(rung, task) {
        return 0;
    }
    match rung {
        Rung::Lut => lut::steps(sides, task),
        Rung::Block => block::steps(sides),
        Rung::Tensor => tensor::steps(task),
        Rung::Node => node::steps(task),
        Rung::Logits => logits::steps(sides, task),
    }
}

/// Whether the rung is one item of the work, which another shard has: a forward pass cannot be split.
fn of_another_shard(rung: Rung, task: &Task<'_>) -> bool {
    let item = Rung::OF_MODELS
        .iter()
        .position(|&of_models| of_models == rung);
    item.is_some_and(|item| !task.shard.owns(item as u64))
}
