//! Inputs, and what they reveal.

mod cases;
mod lut;
mod random;

pub use cases::{Case, block_cases};
pub use lut::{ALL_WEIGHTS, Lut, ProbeError, ScaleSite, ScaleWidth, SlotReading, derive};
pub use random::Random;
