//! Instruction sets of aarch64.

mod dotprod;
mod neon;

use super::generic::{candidate, compiled};
use super::isa::{Dotprod, Neon};
use super::{Candidate, Isa};
use crate::format::Format;

compiled!(Neon);
compiled!(Dotprod);

/// The kernels of a format; none for a format without SIMD arithmetic.
pub(super) fn kernels(format: &Format) -> impl Iterator<Item = Candidate> {
    [
        candidate(format, Isa::Neon, Neon::demand()),
        candidate(format, Isa::Dotprod, Dotprod::demand()),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Dotprod, Neon, Unavailable};
    use super::super::vector::{Vector, tests::check};

    fn run<V: Vector>(token: Result<V, Unavailable>) {
        check(testing::require!(token));
    }

    #[test]
    fn neon_operations() {
        run(Neon::demand());
    }

    #[test]
    fn dotprod_operations() {
        run(Dotprod::demand());
    }
}
