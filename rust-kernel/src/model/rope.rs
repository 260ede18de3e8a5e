//! Rotary position embedding.
//!
//! Source: `ggml_compute_forward_rope_f32` and `ggml_rope_cache_init` in `ggml.c` of `bitnet-cpp-sys` 0.0.5, without
//! YaRN.

use crate::dense::fused::turn_adjacent;
use crate::dense::libm::{cosf, powf, sinf};

/// Which two elements of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pairing {
    /// Elements `2i` and `2i + 1`: ggml's "NORM".
    Adjacent,
    /// Elements `i` and `i + dimensions / 2`: ggml's "NEOX".
    Halves,
}

/// How positions turn the elements of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// Which elements form a pair.
    pub pairing: Pairing,
    /// Elements of a head that are rotated; an even number.
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
pub(super) struct Turn(Vec<(f32, f32)>);

impl Rope {
    /// The turn at a position; `factors` divide the angle of each pair.
    ///
    /// Angles come from repeated multiplication in f32, whose rounding is part of the result.
    pub(super) fn turn(&self, position: usize, factors: Option<&[f32]>) -> Turn {
        let step = powf(self.base, -2.0 / self.dimensions as f32);
        let mut angle = position as f32;
        let pair = |pair: usize| {
            let factor = factors.map_or(1.0, |factors| factors[pair]);
            let scaled = self.frequency_scale * (angle / factor);
            angle *= step;
            (cosf(scaled) * self.magnitude, sinf(scaled) * self.magnitude)
        };
        Turn((0..self.dimensions / 2).map(pair).collect())
    }

    /// Rotates each head in a row of heads of `head` elements.
    pub(super) fn apply(&self, turn: &Turn, head: usize, row: &mut [f32]) {
        for head in row.chunks_exact_mut(head) {
            match self.pairing {
                Pairing::Adjacent => turn_adjacent(&mut head[..self.dimensions], &turn.0),
                Pairing::Halves => {
                    let (first, second) = head[..self.dimensions].split_at_mut(self.dimensions / 2);
                    for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(&turn.0) {
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
            rope.apply(&rope.turn(0, None), 6, &mut row);
            assert_eq!(row, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        }
    }

    #[test]
    fn pairs_are_rotated_by_their_angles() {
        let (first, second) = (1.0f32, 0.01f32);
        let unit = [1.0, 1.0, 0.0, 0.0];
        let mut row = unit;
        let halves = rope(Pairing::Halves);
        halves.apply(&halves.turn(1, None), 4, &mut row);
        let wanted = [first.cos(), second.cos(), first.sin(), second.sin()];
        row.iter()
            .zip(wanted)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{row:?}"));

        let mut row = [1.0, 0.0, 1.0, 0.0];
        let adjacent = rope(Pairing::Adjacent);
        adjacent.apply(&adjacent.turn(1, Some(&[2.0, 1.0])), 4, &mut row);
        let wanted = [0.5f32.cos(), 0.5f32.sin(), second.cos(), second.sin()];
        row.iter()
            .zip(wanted)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{row:?}"));
    }
}
