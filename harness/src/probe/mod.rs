//! Inputs, and what they reveal.

mod cases;
mod derive;
mod lut;
mod random;

pub use cases::{Case, block_cases};
pub use derive::{ProbeError, derive};
pub use lut::{ALL_WEIGHTS, Lut, ScaleSite, ScaleWidth, SlotReading};
pub use random::Random;
