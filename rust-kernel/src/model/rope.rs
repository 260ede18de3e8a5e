//! Rotary position embedding.
//!
//! Source: `ggml_compute_forward_rope_f32` and `ggml_rope_cache_init` in `ggml.c` of `bitnet-cpp-sys` 0.0.5, without
//! YaRN.

use crate::dense::fused::rotate_adjacent;
use crate::dense::libm::{cosf, powf, sinf};

/// The pairs of elements of a head that are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pairing {
    /// Elements `2i` and `2i + 1`: ggml's "NORM".
    Adjacent,
    /// Elements `i` and `i + dimensions / 2`: ggml's "NEOX".
    Halves,
}

/// The parameters of the rotation of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// The pairs of elements.
    pub pairing: Pairing,
    /// Number of elements of a head that are rotated; an even number.
    pub dimensions: usize,
    /// Base of the frequencies.
    pub base: f32,
    /// Factor of every angle.
    pub frequency_scale: f32,
    /// Factor of cosines and sines.
    pub magnitude: f32,
}

/// Cosine and sine of every pair, at one position.
#[derive(Debug)]
pub(super) struct Rotation(Vec<(f32, f32)>);

impl Rope {
    /// The rotation at a position; `factors` divide the angle of each pair.
    ///
    /// Angles are computed by repeated multiplication in f32, as in the reference, so that the rounding is the same.
    pub(super) fn rotation(&self, position: usize, factors: Option<&[f32]>) -> Rotation {
        let step = powf(self.base, -2.0 / self.dimensions as f32);
        let mut angle = position as f32;
        let pair = |pair: usize| {
            let factor = factors.map_or(1.0, |factors| factors[pair]);
            let scaled = self.frequency_scale * (angle / factor);
            angle *= step;
            (cosf(scaled) * self.magnitude, sinf(scaled) * self.magnitude)
        };
        Rotation((0..self.dimensions / 2).map(pair).collect())
    }

    /// Rotates each head in a row of heads of `head` elements.
    pub(super) fn apply(&self, rotation: &Rotation, head: usize, row: &mut [f32]) {
        for head in row.chunks_exact_mut(head) {
            match self.pairing {
                Pairing::Adjacent => rotate_adjacent(&mut head[..self.dimensions], &rotation.0),
                Pairing::Halves => {
                    let (first, second) = head[..self.dimensions].split_at_mut(self.dimensions / 2);
                    for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(&rotation.0) {
                        (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(pairing: Pairing) -> Rope {
        Rope {
            pairing,
            dimensions: 4,
            base: 10_000.0,
            frequency_scale: 1.0,
            magnitude: 1.0,
        }
    }

    #[test]
    fn position_zero_changes_nothing() {
        for pairing in [Pairing::Adjacent, Pairing::Halves] {
            let rope = rope(pairing);
            let mut row = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            rope.apply(&rope.rotation(0, None), 6, &mut row);
            assert_eq!(row, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        }
    }

    #[test]
    fn pairs_are_rotated_by_their_angles() {
        let (first, second) = (1.0f32, 0.01f32);
        let unit = [1.0, 1.0, 0.0, 0.0];
        let mut row = unit;
        let halves = rope(Pairing::Halves);
        halves.apply(&halves.rotation(1, None), 4, &mut row);
        let wanted = [first.cos(), second.cos(), first.sin(), second.sin()];
        row.iter()
            .zip(wanted)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{row:?}"));

        let mut row = [1.0, 0.0, 1.0, 0.0];
        let adjacent = rope(Pairing::Adjacent);
        adjacent.apply(&adjacent.rotation(1, Some(&[2.0, 1.0])), 4, &mut row);
        let wanted = [0.5f32.cos(), 0.5f32.sin(), second.cos(), second.sin()];
        row.iter()
            .zip(wanted)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{row:?}"));
    }
}
