//! Generated inputs, and the derivation of tables from their results.

mod cases;
mod derive;
mod lut;
mod random;

pub use cases::{Case, block_cases};
pub use derive::{DerivedLut, Luts, ProbeError, derive};
pub use lut::{Lut, ScaleSite, ScaleWidth, SlotReading};
pub use random::Random;
