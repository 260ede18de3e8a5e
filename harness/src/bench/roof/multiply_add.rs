//! int8 multiply-adds on registers: the least that an instruction set has to execute for a product of integers.
//!
//! Each step is one dependency chain's worth of instructions, and enough chains run side by side to hide the latency.
//! Inputs pass through [`black_box`], and each result feeds the next, so that no step can be left out.

use std::hint::black_box;

use qk256::kernel::Isa;

/// Chains side by side: latency times throughput of the slowest pair of instructions known (5 cycles, 2 a cycle), and
/// few enough for 16 registers.
const CHAINS: usize = 12;

/// Steps of all chains in a burst.
const STEPS: usize = 4096;

/// The multiply-add of an instruction set that this CPU has.
#[derive(Debug, Clone, Copy)]
pub(in crate::bench) struct MultiplyAdd(&'static Instruction);

#[derive(Debug)]
struct Instruction {
    /// What is executed in a step.
    name: &'static str,
    /// The kernels that it is the roof of, by [`Isa::name`].
    isas: &'static [&'static str],
    /// Products of int8 that a step adds up.
    products: usize,
    detected: fn() -> bool,
    /// Needs what `detected` tells.
    burst: unsafe fn(),
}

impl MultiplyAdd {
    /// The roof of kernels for `isa`, if this CPU has the instructions.
    pub(in crate::bench) fn of(isa: Isa) -> Option<MultiplyAdd> {
        let instruction = INSTRUCTIONS
            .iter()
            .find(|instruction| instruction.isas.contains(&isa.name()))?;
        (instruction.detected)().then_some(MultiplyAdd(instruction))
    }

    /// The instructions.
    pub(in crate::bench) fn name(self) -> &'static str {
        self.0.name
    }

    /// Multiply-adds of a burst.
    pub(in crate::bench) fn burst_products(self) -> u64 {
        (CHAINS * STEPS * self.0.products) as u64
    }

    /// Executes `bursts` bursts.
    pub(in crate::bench) fn run(self, bursts: usize) {
        for _ in 0..bursts {
            // SAFETY: `of`, the only constructor, saw `detected` say that this CPU has what the burst needs.
            unsafe { (self.0.burst)() }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::INSTRUCTIONS;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    use super::{CHAINS, Instruction, STEPS, black_box};

    pub(super) static INSTRUCTIONS: &[Instruction] = &[
        Instruction {
            name: "pmaddwd + paddd",
            isas: &["naive", "scalar"],
            products: 8,
            detected: || is_x86_feature_detected!("sse2"),
            burst: sse2,
        },
        Instruction {
            name: "vpmaddubsw + vpaddw, ymm",
            isas: &["avx2"],
            products: 32,
            detected: || is_x86_feature_detected!("avx2"),
            burst: avx2,
        },
        Instruction {
            name: "vpdpbusd, ymm",
            isas: &["avxvnni"],
            products: 32,
            detected: || is_x86_feature_detected!("avxvnni"),
            burst: avxvnni,
        },
        Instruction {
            name: "vpmaddubsw + vpaddw, zmm",
            isas: &["avx512bw"],
            products: 64,
            detected: || is_x86_feature_detected!("avx512bw"),
            burst: avx512bw,
        },
        Instruction {
            name: "vpdpbusd, zmm",
            isas: &["avx512vnni"],
            products: 64,
            detected: || is_x86_feature_detected!("avx512vnni"),
            burst: avx512vnni,
        },
    ];

    /// A burst: `$step` maps a chain's register and an operand that stays to the chain's next register.
    macro_rules! burst {
        ($name:ident, $feature:literal, $set:ident, $sum:ident, $operand:ident => $step:expr) => {
            #[target_feature(enable = $feature)]
            fn $name() {
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
            }
        };
    }

    burst!(sse2, "sse2", _mm_set1_epi8, sum, operand =>
        _mm_add_epi32(_mm_madd_epi16(sum, operand), sum));
    burst!(avx2, "avx2", _mm256_set1_epi8, sum, operand =>
        _mm256_add_epi16(_mm256_maddubs_epi16(sum, operand), sum));
    burst!(avxvnni, "avxvnni", _mm256_set1_epi8, sum, operand =>
        _mm256_dpbusd_avx_epi32(sum, operand, operand));
    burst!(avx512bw, "avx512bw", _mm512_set1_epi8, sum, operand =>
        _mm512_add_epi16(_mm512_maddubs_epi16(sum, operand), sum));
    burst!(avx512vnni, "avx512vnni", _mm512_set1_epi8, sum, operand =>
        _mm512_dpbusd_epi32(sum, operand, operand));
}

#[cfg(target_arch = "aarch64")]
use aarch64::INSTRUCTIONS;

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::aarch64::{int8x16_t, vdupq_n_s8};
    use std::arch::{asm, is_aarch64_feature_detected};

    use super::{CHAINS, Instruction, STEPS, black_box};

    pub(super) static INSTRUCTIONS: &[Instruction] = &[
        Instruction {
            name: "smlal",
            isas: &["naive", "scalar", "neon"],
            products: 8,
            detected: || is_aarch64_feature_detected!("neon"),
            burst: neon,
        },
        Instruction {
            name: "sdot",
            isas: &["dotprod"],
            products: 16,
            detected: || is_aarch64_feature_detected!("dotprod"),
            burst: dotprod,
        },
    ];

    /// A burst of one instruction, written out: the compiler would take the product of operands that stay out of the
    /// loop, and has no stable intrinsic for `sdot`.
    macro_rules! burst {
        ($name:ident, $feature:literal, $instruction:literal) => {
            #[target_feature(enable = $feature)]
            fn $name() {
                let operand: int8x16_t = black_box(vdupq_n_s8(3));
                let mut sums = [vdupq_n_s8(0); CHAINS];
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        // SAFETY: one instruction of the function's own feature, on registers alone.
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
        };
    }

    burst!(
        neon,
        "neon",
        "smlal {sum:v}.8h, {operand:v}.8b, {operand:v}.8b"
    );
    burst!(
        dotprod,
        "dotprod",
        "sdot {sum:v}.4s, {operand:v}.16b, {operand:v}.16b"
    );
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
        for instruction in INSTRUCTIONS {
            if (instruction.detected)() {
                MultiplyAdd(instruction).run(2);
            } else {
                eprintln!("skipped: no {}", instruction.name);
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
