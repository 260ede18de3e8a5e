//! Where the scale of a weight is kept.

/// How many weights share a scale.
///
/// Where its bytes are is a matter of the [`Flavour`](super::Flavour); [`Storage`](super::Storage) knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleRule {
    /// One f32 for the whole tensor, or none at all (then 1).
    Tensor,
    /// One f16 for each run of `weights` consecutive weights of a row.
    Block {
        /// Weights that share the scale.
        weights: usize,
    },
}
