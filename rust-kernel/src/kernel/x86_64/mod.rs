//! Instruction sets of x86-64.

mod avx2;
mod avx512;
mod avx_vnni;
mod trits;

use super::generic::{candidate, compiled};
use super::isa::{Avx2, Avx512Bw, Avx512Vnni, AvxVnni};
use super::{Candidate, Isa};
use crate::format::Format;

compiled!(Avx2);
compiled!(AvxVnni);
compiled!(Avx512Bw);
compiled!(Avx512Vnni);

/// The kernels of a format; none for a format without SIMD arithmetic.
pub(super) fn kernels(format: &Format) -> impl Iterator<Item = Candidate> {
    [
        candidate(format, Isa::Avx2, Avx2::demand()),
        candidate(format, Isa::AvxVnni, AvxVnni::demand()),
        candidate(format, Isa::Avx512Bw, Avx512Bw::demand()),
        candidate(format, Isa::Avx512Vnni, Avx512Vnni::demand()),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Avx2, Avx512Bw, Avx512Vnni, AvxVnni, Unavailable};
    use super::super::vector::{Vector, tests::check};

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
