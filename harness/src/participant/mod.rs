//! The participants of a run: the types that implement [`Implementation`](crate::implementation::Implementation) or
//! [`Inference`](crate::inference::Inference).

mod forward;
mod kernel;
mod layout;
mod lineage;
mod names;
mod oracle;
mod participants;
mod reference_model;
mod session;
pub mod worker;

pub use forward::{Forward, vintage_of};
pub use kernel::KernelImplementation;
pub use layout::{reference_format, reference_layout};
pub(crate) use names::{is_fused, kind_and_layer};
pub use oracle::{OracleImplementation, missing_types};
pub use participants::{BuildKind, Candidate, Participants, Reference};
pub use reference_model::{Judged, ReferenceModel};
pub use session::SessionImplementation;
