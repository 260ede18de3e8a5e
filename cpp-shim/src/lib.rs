//! Oracles: embedded builds of llama.cpp that are called through a C ABI. Other implementations are compared with them.
//!
//! - An **oracle** is an implementation of the ABI in `include/oracle.h`. A [`Build`] is an oracle that is embedded in
//!   this binary, with its [`Provenance`].
//! - A [`Format`] is a type of ggml by its name. The formats of an oracle are those that its library lists.
//! - A **code** is the small unsigned integer stored for a weight (0, 1, 2 for -1, 0, +1). A **block** is a number of
//!   weights that are packed together. A **scale** is the factor from a sum of codes to a value.
//! - **Activations** are the second operand of a product with weights. A **batch** is several rows of activations.
//! - Matrices are row-major, `rows x cols`. Columns are contiguous.
//! - A [`Session`] is an open model with a context for decoding tokens. A [`Node`] is an intermediate tensor of its
//!   graph.
//!
//! ```no_run
//! for build in cpp_shim::builds() {
//!     let oracle = build.load()?;
//!     let weights = oracle.quantize(cpp_shim::Format::I2S, 1, 128, &[1.0; 128])?;
//!     let mut out = [0.0];
//!     oracle.matmul(cpp_shim::Format::I2S, 1, 128, &weights, &[0.5; 128], 1, &mut out)?;
//!     println!("{}: {}", build.id(), out[0]);
//! }
//! # Ok::<(), cpp_shim::OracleError>(())
//! ```

mod check;
mod describe;
mod error;
#[allow(
    clippy::type_complexity,
    dead_code,
    missing_docs,
    non_camel_case_types,
    unreachable_pub,
    reason = "generated; the header has the documentation"
)]
mod ffi;
mod image;
mod library;
mod node;
mod oracle;
mod registry;
mod session;
mod sources;
mod table;

pub use describe::{Check, Description, Format, FormatInfo, Refusal};
pub use error::{OracleError, Status, Unavailable};
pub use node::Node;
pub use oracle::{Activations, Oracle};
pub use oracle_builder::{cpu_features, is_cpu_feature};
pub use registry::{Build, Provenance, builds};
pub use session::{Graph, Session, SessionParams};
pub use sources::{shim_files, spec};
