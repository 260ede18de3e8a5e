//! A logarithmic axis with round ends and grid lines.

use super::canvas::{Scale, ends};

/// A logarithmic axis, horizontal or vertical.
pub(super) struct Logarithmic {
    scale: Scale,
    ends: (f64, f64),
    step: f64,
    /// The place of values that are not positive.
    zero: i32,
}

impl Logarithmic {
    /// An axis of ratios, with ends at powers of two and 1 between them. Values that are not positive are placed at the
    /// lower end.
    pub(super) fn ratios(values: impl Iterator<Item = f64>, places: (i32, i32)) -> Logarithmic {
        let (low, high) = ends(positive(values)).unwrap_or((1.0, 1.0));
        let down = low.clamp(1e-6, 0.9).log2().floor();
        let up = high.clamp(1.1, 1e6).log2().ceil();
        Logarithmic::new((down.exp2(), up.exp2()), 2.0, places.0, places)
    }

    /// An axis of distances, with ends at powers of ten. Values that are not positive have the place `zero`.
    pub(super) fn distances(
        values: impl Iterator<Item = f64>,
        zero: i32,
        places: (i32, i32),
    ) -> Logarithmic {
        let (low, high) = ends(positive(values)).unwrap_or((1e-7, 1.0));
        let down = low.clamp(1e-30, 1e30).log10().floor();
        let up = high.clamp(1e-30, 1e30).log10().ceil().max(down + 1.0);
        let ends = (10f64.powf(down), 10f64.powf(up));
        Logarithmic::new(ends, 10.0, zero, places)
    }

    fn new(ends: (f64, f64), step: f64, zero: i32, places: (i32, i32)) -> Logarithmic {
        // Limits the number of lines, so that labels do not overlap.
        const MOST: f64 = 9.0;
        let lines = (ends.1 / ends.0).ln() / step.ln();
        Logarithmic {
            scale: Scale::logarithmic(ends, places),
            ends,
            step: step.powf((lines / MOST).ceil().max(1.0)),
            zero,
        }
    }

    /// The place of a value.
    pub(super) fn place(&self, value: f64) -> i32 {
        if value > 0.0 {
            self.scale.place(value)
        } else {
            self.zero
        }
    }

    /// The values with a grid line.
    pub(super) fn lines(&self) -> impl Iterator<Item = f64> {
        let count = ((self.ends.1 / self.ends.0).ln() / self.step.ln()).round() as i32;
        (0..=count).map(|i| self.ends.0 * self.step.powi(i))
    }
}

fn positive(values: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.filter(|value| *value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_have_a_line_at_one_wherever_they_lie() {
        for value in [1e-9, 0.3, 1.0, 40.0, 1e9] {
            let axis = Logarithmic::ratios([value].into_iter(), (0, 100));
            assert!(axis.ends.0 < 1.0 && axis.ends.1 > 1.0, "{value}");
            assert!(axis.lines().count() <= 12, "{value}");
        }
    }

    #[test]
    fn distances_lie_between_powers_of_ten_and_zero_lies_apart() {
        let axis = Logarithmic::distances([0.0, 2e-7, 0.5].into_iter(), 200, (180, 0));
        let powers = axis.lines().map(|line| line.log10().round() as i32);
        let powers: Vec<i32> = powers.collect();
        assert_eq!(powers, [-7, -6, -5, -4, -3, -2, -1, 0]);
        let places = [0.0, 1e-7, 1.0].map(|value| axis.place(value));
        assert_eq!(places, [200, 180, 0]);
    }
}
