//! Instruction sets of x86-64.

mod avx2;
mod avx512;
mod avx_vnni;
mod trits;

use super::generic::{compiled, isa_compute};
use super::{Isa, IsaCompute};
use crate::format::Format;
use crate::isa::{Avx2, Avx512Bw, Avx512Vnni, AvxVnni};

compiled!(Avx2);
compiled!(AvxVnni);
compiled!(Avx512Bw);
compiled!(Avx512Vnni);

/// The SIMD kernels of a format, if it has any.
pub(super) fn kernels(format: &Format) -> impl Iterator<Item = IsaCompute> {
    [
        isa_compute(format, Isa::Avx2, Avx2::demand()),
        isa_compute(format, Isa::AvxVnni, AvxVnni::demand()),
        isa_compute(format, Isa::Avx512Bw, Avx512Bw::demand()),
        isa_compute(format, Isa::Avx512Vnni, Avx512Vnni::demand()),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::vector::{Vector, tests::check};
    use crate::isa::{Avx2, Avx512Bw, Avx512Vnni, AvxVnni, Unavailable};

    fn run<V: Vector>(token: Result<V, Unavailable>) {
        check(testing::require!(token));
    }

    #[test]
    fn avx2_operations() {
        run(Avx2::demand());
    }

    #[test]
    fn avx_vnni_operations() {
        run(AvxVnni::demand());
    }

    #[test]
    fn avx512_bw_operations() {
        run(Avx512Bw::demand());
    }

    #[test]
    fn avx512_vnni_operations() {
        run(Avx512Vnni::demand());
    }
}
