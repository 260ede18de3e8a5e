//! Oracles: builds of llama.cpp, compiled in and called through a C ABI, to compare another
//! implementation with.
//!
//! - An **oracle** is an implementation behind the ABI of `include/oracle.h`; a [`Build`] is one
//!   that was compiled into this binary, with its [`Provenance`].
//! - A **code** is the small unsigned integer that a weight is stored as (0, 1, 2 for -1, 0, +1), a
//!   **block** the weights packed together, a **scale** the factor that turns a sum of codes into a
//!   value.
//! - **Activations** are what the weights are multiplied with; a **batch** is several rows of them.
//! - Matrices are row-major, `rows x cols`, the columns contiguous.
//! - A [`Session`] is a model, opened, with a context to decode tokens in; a [`Node`] is an
//!   intermediate tensor of its graph.
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
#[allow(dead_code, reason = "the macro names are for the build script")]
mod features;
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
mod table;

pub use describe::{Description, Format, FormatInfo};
pub use error::{OracleError, Status, Unavailable};
pub use features::{cpu_features, is_cpu_feature};
pub use node::Node;
pub use oracle::{Activations, Oracle};
pub use registry::{Build, Provenance, builds};
pub use session::{Graph, Session, SessionParams};
