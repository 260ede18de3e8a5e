//! The sides: whatever stands behind [`Implementation`](crate::implementation::Implementation), and who takes part in a
//! run.

mod arbiter;
mod kernel;
mod oracle;
mod roster;

pub use arbiter::{Arbiter, Judged};
pub use kernel::KernelSide;
pub use oracle::OracleSide;
pub use roster::{Candidate, Reference, Sides, reference_format, reference_layout};
