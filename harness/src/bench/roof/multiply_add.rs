//! int8 multiply-adds in registers: the minimum that an instruction set must execute for an integer product.
//!
//! Each step executes the instructions of one dependency chain. Enough chains are interleaved to hide the latency.
//! Inputs pass through [`black_box`], and each result feeds the next step, so the compiler cannot remove any.

use std::hint::black_box;

use qk256::kernel::Isa;

/// Number of interleaved chains: latency times throughput of the slowest known pair of instructions (5 cycles, 2 per
/// cycle), and few enough for 16 registers.
const CHAINS: usize = 12;

/// Number of steps of all chains in a burst.
const STEPS: usize = 4096;

/// The multiply-add of an instruction set that this CPU has.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) struct MultiplyAdd(&'static Instruction);

#[derive(Debug)]
struct Instruction {
    /// Names of the instructions in a step.
    name: &'static str,
    /// The instruction sets of the kernels that this roof applies to.
    isas: &'static [Isa],
    /// Number of int8 products that a step accumulates.
    products: usize,
    burst: Burst,
}

/// A burst. It requires the CPU features of the instruction set that it is compiled for.
#[derive(Debug)]
struct Burst {
    isa: Isa,
    run: unsafe fn(),
}

impl MultiplyAdd {
    /// The multiply-add of kernels for `isa`, if this CPU supports the instructions.
    pub(in crate::bench) fn of(isa: Isa) -> Option<MultiplyAdd> {
        let instruction = INSTRUCTIONS
            .iter()
            .find(|instruction| instruction.isas.contains(&isa))?;
        let there = instruction.burst.isa.availability().is_ok();
        there.then_some(MultiplyAdd(instruction))
    }

    /// Names of the instructions.
    pub(in crate::bench) fn name(self) -> &'static str {
        self.0.name
    }

    /// Number of multiply-adds in a burst.
    pub(in crate::bench) fn burst_products(self) -> u64 {
        (CHAINS * STEPS * self.0.products) as u64
    }

    /// Executes `bursts` bursts.
    pub(in crate::bench) fn run(self, bursts: usize) {
        for _ in 0..bursts {
            // SAFETY: `of`, the only constructor, checked that this CPU has the features that the burst requires.
            unsafe { (self.0.burst.run)() }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::INSTRUCTIONS;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{Burst, CHAINS, Instruction, Isa, STEPS, black_box};

    pub(super) static INSTRUCTIONS: &[Instruction] = &[
        Instruction {
            name: "pmaddwd + paddd",
            isas: &[Isa::Naive, Isa::Scalar],
            products: 8,
            burst: SSE2,
        },
        Instruction {
            name: "vpmaddubsw + vpaddw, ymm",
            isas: &[Isa::Avx2],
            products: 32,
            burst: AVX2,
        },
        Instruction {
            name: "vpdpbusd, ymm",
            isas: &[Isa::AvxVnni],
            products: 32,
            burst: AVXVNNI,
        },
        Instruction {
            name: "vpmaddubsw + vpaddw, zmm",
            isas: &[Isa::Avx512Bw],
            products: 64,
            burst: AVX512BW,
        },
        Instruction {
            name: "vpdpbusd, zmm",
            isas: &[Isa::Avx512Vnni],
            products: 64,
            burst: AVX512VNNI,
        },
    ];

    /// Defines a burst. `$step` maps a chain's register and a constant operand to the chain's next register.
    macro_rules! burst {
        ($isa:ident: $name:ident, $($body:tt)+) => {
            const $name: Burst = {
                qk256::compiled_for! { $isa: fn run() { burst!($($body)+); } }
                Burst { isa: Isa::$isa, run }
            };
        };
        ($set:ident, $sum:ident, $operand:ident => $step:expr) => {
            let $operand = black_box($set(3));
            let mut sums = [$set(0); CHAINS];
            for (chain, sum) in sums.iter_mut().enumerate() {
                *sum = black_box($set(chain as i8));
            }
            for _ in 0..STEPS {
                for sum in &mut sums {
                    let $sum = *sum;
                    *sum = $step;
                }
            }
            black_box(sums);
        };
    }

    /// Every CPU of this architecture has SSE2, so kernels do not name it.
    const SSE2: Burst = {
        #[target_feature(enable = "sse2")]
        fn run() {
            burst!(_mm_set1_epi8, sum, operand =>
                _mm_add_epi32(_mm_madd_epi16(sum, operand), sum));
        }
        Burst {
            isa: Isa::Scalar,
            run,
        }
    };

    burst!(Avx2: AVX2, _mm256_set1_epi8, sum, operand =>
        _mm256_add_epi16(_mm256_maddubs_epi16(sum, operand), sum));
    burst!(AvxVnni: AVXVNNI, _mm256_set1_epi8, sum, operand =>
        _mm256_dpbusd_avx_epi32(sum, operand, operand));
    burst!(Avx512Bw: AVX512BW, _mm512_set1_epi8, sum, operand =>
        _mm512_add_epi16(_mm512_maddubs_epi16(sum, operand), sum));
    burst!(Avx512Vnni: AVX512VNNI, _mm512_set1_epi8, sum, operand =>
        _mm512_dpbusd_epi32(sum, operand, operand));
}

#[cfg(target_arch = "aarch64")]
use aarch64::INSTRUCTIONS;

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::aarch64::{int8x16_t, vdupq_n_s8};
    use std::arch::asm;

    use super::{Burst, CHAINS, Instruction, Isa, STEPS, black_box};

    pub(super) static INSTRUCTIONS: &[Instruction] = &[
        Instruction {
            name: "smlal",
            isas: &[Isa::Naive, Isa::Scalar, Isa::Neon],
            products: 8,
            burst: NEON,
        },
        Instruction {
            name: "sdot",
            isas: &[Isa::Dotprod],
            products: 16,
            burst: DOTPROD,
        },
    ];

    /// Defines a burst of one instruction in inline assembly. The compiler would hoist the product of constant operands
    /// out of the loop, and there is no stable intrinsic for `sdot`.
    macro_rules! burst {
        ($isa:ident: $name:ident, $instruction:literal) => {
            const $name: Burst = {
                qk256::compiled_for! { $isa:
                    fn run() {
                        let operand: int8x16_t = black_box(vdupq_n_s8(3));
                        let mut sums = [vdupq_n_s8(0); CHAINS];
                        for _ in 0..STEPS {
                            for sum in &mut sums {
                                // SAFETY: the instruction belongs to the features that the function enables, and uses
                                // registers only.
                                unsafe {
                                    asm!(
                                        $instruction,
                                        sum = inout(vreg) *sum,
                                        operand = in(vreg) operand,
                                        options(pure, nomem, nostack, preserves_flags)
                                    );
                                }
                            }
                        }
                        black_box(sums);
                    }
                }
                Burst {
                    isa: Isa::$isa,
                    run,
                }
            };
        };
    }

    burst!(Neon: NEON, "smlal {sum:v}.8h, {operand:v}.8b, {operand:v}.8b");
    burst!(Dotprod: DOTPROD, "sdot {sum:v}.4s, {operand:v}.16b, {operand:v}.16b");
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static INSTRUCTIONS: &[Instruction] = &[];

#[cfg(test)]
mod tests {
    use qk256::kernel;

    use super::*;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn every_kernel_that_runs_here_has_a_roof() {
        for kernel in kernel::all() {
            if kernel.availability().is_ok() {
                let roof = MultiplyAdd::of(kernel.isa());
                assert!(roof.is_some(), "no multiply-add for {}", kernel.id());
            }
        }
    }

    #[test]
    fn every_instruction_of_this_cpu_runs() {
        for isa in Isa::ALL {
            match MultiplyAdd::of(isa) {
                Some(instruction) => instruction.run(2),
                None => eprintln!("skipped: no multiply-add for {}", isa.name()),
            }
        }
    }

    #[test]
    fn an_instruction_set_has_one_roof() {
        let mut isas: Vec<_> = INSTRUCTIONS.iter().flat_map(|i| i.isas).collect();
        let named = isas.len();
        isas.sort();
        isas.dedup();
        assert_eq!(isas.len(), named);
    }
}
