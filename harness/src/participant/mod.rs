//! The participants of a run: the types that implement [`Implementation`](crate::implementation::Implementation) or
//! [`Inference`](crate::inference::Inference).

mod forward;
mod kernel;
mod layout;
mod lineage;
mod oracle;
mod participants;
mod reference_model;
mod session;
pub mod worker;

pub use forward::Forward;
pub use kernel::KernelImplementation;
pub use layout::{reference_format, reference_layout};
pub use oracle::OracleImplementation;
pub use participants::{Candidate, Participants, Reference};
pub use reference_model::{Judged, ReferenceModel};
pub use session::SessionImplementation;
