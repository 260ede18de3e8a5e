//! What each kind of work came to, as data: one file a kind.
//!
//! A section has the parameters that run it again, the facts that were found, and totals that follow from them.

mod bench;
mod check;
mod fuzz;
mod mistakes;
mod shards;

pub use bench::{BenchParameters, BenchSection, ModelBenchParameters, ModelBenchSection};
pub use check::{CheckParameters, CheckPart, CheckSection};
pub use fuzz::{FuzzFinding, FuzzParameters, FuzzPart, FuzzSection};
pub use mistakes::{
    Caught, KernelMistake, MistakesParameters, MistakesSection, ModelMistakeRecord,
};
pub use shards::Shards;
