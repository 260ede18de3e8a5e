//! Instruction sets of aarch64.

mod dotprod;
mod neon;

use super::Candidate;
use crate::format::Format;

mod for_neon {
    crate::kernel::generic::facade!(Neon, "neon");
}

mod for_dotprod {
    crate::kernel::generic::facade!(Dotprod, "neon,dotprod");
}

/// The kernels of a format.
pub(super) fn kernels(format: &Format) -> impl Iterator<Item = Candidate> {
    [for_neon::kernel(format), for_dotprod::kernel(format)]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::isa::{Dotprod, Neon, Unavailable};
    use super::super::vector::{Vector, tests::check};

    fn run<V: Vector>(token: Result<V, Unavailable>) {
        match token {
            Ok(v) => check(v),
            Err(reason) => println!("skipped: {reason}"),
        }
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
