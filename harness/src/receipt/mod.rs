//! Receipts: one JSON file a run, that says what ran, on what, by whom, where, and what came out.
//!
//! # Glossary
//!
//! - **run**: one command on one machine; **section**: one kind of work (check, fuzz, mistakes, bench).
//! - **fact**: what only the run can know: counts, measures, findings. All else **follows**: totals, verdicts, the list
//!   of kernels. What follows is computed in one place, when a receipt is made, merged, or verified.
//! - **part**: the facts of one shard. Merging unites sets of parts, and totals follow from the parts in their order, so
//!   that it does not matter who was merged with whom first.
//! - **seal**: the hash of everything else, which shows that a receipt was not edited. It is no signature.
//!
//! Data goes up: `environment`, `subject`, `layouts`, [`section`](Section) and `run` to `document`, `follow` (with
//! `pool`), `verify` (with `figures`), and from there to `file` and `merge`.

mod commit;
mod document;
mod environment;
mod error;
mod figures;
mod file;
mod flaw;
mod follow;
mod layouts;
mod merge;
mod pool;
mod run;
mod schema;
mod section;
mod subject;
mod verify;

pub use commit::{DIRTY, built_from, is_commit, is_sha256};
pub use document::{Harness, Parity, Receipt, SCHEMA_VERSION, Skip, Validation, Work};
pub use environment::Environment;
pub use error::ReceiptError;
pub use file::MOST_BYTES;
pub use flaw::Flaw;
pub(crate) use layouts::written;
pub use layouts::{DECLARED, LayoutRecord, ScaleRecord};
pub use merge::{MergeError, merge};
pub use run::{Recorder, Run, Section};
pub use schema::schema;
pub use section::{
    BenchParameters, BenchSection, Caught, CheckParameters, CheckPart, CheckSection, FuzzFinding,
    FuzzParameters, FuzzPart, FuzzSection, KernelMistake, MistakesParameters, MistakesSection,
    ModelBenchParameters, ModelBenchSection, ModelMistakeRecord, Shards,
};
pub use subject::{DecodingInfo, InferenceInfo, ModelInfo, OracleInfo, TensorInfo};
