//! The rungs of the ladder, each resting on the one below. One file each, the same shape: `climb` runs every candidate
//! against every reference, `steps` says beforehand how many steps it will report.

mod block;
mod known;
mod lut;
mod refusal;
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
    }
}

/// How many steps [`climb`] reports to the progress bar.
pub fn steps(rung: Rung, sides: &Sides, task: &Task<'_>) -> u64 {
    match rung {
        Rung::Lut => lut::steps(sides),
        Rung::Block => block::steps(sides),
        Rung::Tensor => tensor::steps(task),
    }
}
