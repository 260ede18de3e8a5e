//! Numbers that products should be.

/// A number, and how far a rounded result may be off it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) tolerance: f64,
}

impl Number {
    /// Whether a result is this number.
    pub(super) fn is(self, actual: f64) -> bool {
        // Beyond the range of f32, what comes out of an overflow depends on the order of sums.
        if !self.value.is_finite() || self.value.abs() > f64::from(f32::MAX) {
            return !actual.is_finite();
        }
        (actual - self.value).abs() <= self.tolerance
    }
}
