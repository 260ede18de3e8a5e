//! Finds the causes of wrong results.
//!
//! An implementation with wrong results is probed. Each kind of cause with evidence in the results makes a
//! **hypothesis**: a fault with its parameters, which predicts the results of any case. The hypothesis is compared with
//! the results of the **probes**, cases that show every kind of fault, and of the finding's own case. A hypothesis that
//! predicts an error where the result is right is dropped. Of the remaining ones, the one that explains most counts. It
//! must explain all wrong results of the finding's case, or most of those of the probes if the finding has no case.
//! Otherwise no cause is named.
//!
//! Predictions are computed here from the description of the formats. They do not use the definitions of the mutants,
//! because a common definition would prove nothing.
//!
//! The diagnosis runs only after a divergence. It examines an implementation once in a run, with fixed cases.

mod by_products;
mod diagnosed;
mod explain;
mod hypothesis;
mod kind;
mod number;
mod paths;
mod probes;
mod scope;
mod steps;
mod subject;
mod work;

pub use diagnosed::Diagnosed;
pub use explain::Diagnosis;
