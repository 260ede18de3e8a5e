//! Expected products.

/// A number with the tolerance for rounded results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) tolerance: f64,
}

impl Number {
    /// Whether a result equals this number within the tolerance.
    pub(super) fn is(self, actual: f64) -> bool {
        // Beyond the range of f32, the result of an overflow depends on the order of additions.
        if !self.value.is_finite() || self.value.abs() > f64::from(f32::MAX) {
            return !actual.is_finite();
        }
        (actual - self.value).abs() <= self.tolerance
    }
}
