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

/// Runs a rung.
pub fn climb(rung: Rung, sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
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
    match rung {
        Rung::Lut => lut::steps(sides),
        Rung::Block => block::steps(sides),
        Rung::Tensor => tensor::steps(task),
        Rung::Node => node::steps(task),
        Rung::Logits => logits::steps(sides, task),
    }
}
