//! Diagnosis: from wrong results to their cause.
//!
//! A side with wrong results is probed, and every kind of cause whose marks are found names a **suspect**: a fault with
//! its figures, from which results of any case follow. The suspect is then held against what the side answered to an
//! **exam**, cases that show every kind of fault, and to the case of the finding. A suspect that predicts an error where
//! the side is right is dropped; of the others the one counts that explains the most. It has to explain all of the
//! finding's own case, or most of the exam where the finding has no case. Otherwise no cause is named.
//!
//! What suspects predict is computed here once more, from the formats' description. It shares nothing with the planted
//! mistakes, which would prove nothing if they and the diagnosis had one definition.
//!
//! Nothing of this runs where nothing diverges. A side is examined once a run, with fixed cases.

mod by_products;
mod exam;
mod examination;
mod explain;
mod kind;
mod number;
mod paths;
mod scope;
mod steps;
mod subject;
mod suspect;
mod work;

pub use examination::Examination;
pub use explain::Examinations;
