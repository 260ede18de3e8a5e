//! The number of weights that share a scale.

/// How many weights share a scale.
///
/// The position of its bytes depends on the [`StorageVariant`](super::StorageVariant); see
/// [`Storage::scale_offset`](super::Storage::scale_offset).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleRule {
    /// One f32 for the whole tensor, 1 if the tensor has none.
    Tensor,
    /// One f16 for each run of `weights` consecutive weights of a row.
    Block {
        /// Weights that share the scale.
        weights: usize,
    },
}
