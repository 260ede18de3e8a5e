//! Instruction sets of aarch64.

mod dotprod;
mod neon;

use super::generic::{compiled, isa_compute};
use super::{Isa, IsaCompute};
use crate::format::Format;
use crate::isa::{Dotprod, Neon};

compiled!(Neon);
compiled!(Dotprod);

/// The SIMD kernels of a format, if it has any.
pub(super) fn kernels(format: &Format) -> impl Iterator<Item = IsaCompute> {
    [
        isa_compute(format, Isa::Neon, Neon::demand()),
        isa_compute(format, Isa::Dotprod, Dotprod::demand()),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::vector::{Vector, tests::check};
    use crate::isa::{Dotprod, Neon, Unavailable};

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
