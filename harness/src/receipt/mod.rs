//! Receipts: one JSON file for each run, with the program, the inputs, the machine and the results.
//!
//! # Glossary
//!
//! - **run**: one command on one machine.
//! - **section**: the results of one kind of work (check, fuzz, mutants, bench).
//! - **entry**: a field that a run records, such as a count, a measure or a finding. All other fields are **derived**
//!   from the entries: totals, verdicts, the list of kernels. They are computed by one function, when a receipt is
//!   created, merged or verified.
//! - **part**: the entries of one shard. Merging unites the parts of both receipts. Totals are derived from the parts
//!   in their order, so the order of merging does not change them.
//! - **digest**: the hash of all other fields. It detects edits by mistake. It is not a signature.
//!
//! A module imports only modules before it in this list: `environment`, `subject`, `validation`, `run`; `figures`,
//! `pool`; [`section`](Section); `document`; `derive`; `verify`; `file`, `merge`. All import `error`.

mod commit;
mod derive;
mod document;
mod environment;
mod error;
mod figures;
mod file;
mod merge;
mod pool;
mod run;
mod schema;
mod section;
mod subject;
mod validation;
mod verify;

pub use commit::{DIRTY, built_from, is_commit, is_sha256};
pub use document::{Harness, Parity, Receipt, SCHEMA_VERSION, Skip, Validation, Work};
pub use environment::Environment;
pub use error::{MergeError, ReceiptError, ReceiptFault};
pub use file::{FINDINGS, files};
pub use merge::merge;
pub use run::{Recorder, Run, Section};
pub use schema::schema;
pub(crate) use schema::schema_of;
pub use section::{
    BenchParameters, BenchSection, CheckParameters, CheckPart, CheckSection, Contents, DECLARED,
    FormatLut, FuzzFinding, FuzzParameters, FuzzPart, FuzzSection, MutantsParameters,
    MutantsSection, Shards,
};
pub use subject::{DecodingInfo, InferenceInfo, ModelInfo, OracleInfo, TensorInfo};
pub use validation::ValidationError;
pub(crate) use validation::{At, parsed};
