//! The sides: whatever stands behind [`Implementation`](crate::implementation::Implementation) or
//! [`Inference`](crate::inference::Inference), and who takes part in a run.

mod arbiter;
mod forward;
mod kernel;
mod layout;
mod lineage;
mod oracle;
mod roster;
mod session;
pub mod worker;

pub use arbiter::{Arbiter, Judged};
pub use forward::Forward;
pub use kernel::KernelSide;
pub use layout::{reference_format, reference_layout};
pub use oracle::OracleSide;
pub use roster::{Candidate, Reference, Sides};
pub use session::SessionSide;
