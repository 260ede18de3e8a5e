//! A kernel of one's own, checked as `harness check` checks those of `qk256`.
//!
//! `OwnKernel` is as plain as a port begins: I2_S of bitnet.cpp on one thread, activations quantized to 8 bits as ggml
//! does it. To check another one, put a call of it behind [`Implementation`]: integer dots, and f32 products.
//!
//! ```sh
//! cargo run -p harness --example own_kernel
//! cargo run -p harness --example own_kernel -- --broken
//! ```

use clap::Parser;
use harness::cli::{CandidateCheck, OutputOptions, conclude};
use harness::exit::Exit;
use harness::implementation::{Implementation, SideError};
use harness::side::Candidate;
use qk256::format::{Flavour, I2_S_GROUP128, Storage, Weights};

/// Weights that lie together in 32 bytes: byte `p` holds weights `p`, `p + 32`, `p + 64` and `p + 96`.
const GROUP: usize = 128;
const GROUP_BYTES: usize = 32;

/// Where the four weights of a byte are.
const SHIFTS: [u32; 4] = [6, 4, 2, 0];

/// The planted mistake: the same from the other end, as TQ2_0 has it.
const WRONG_SHIFTS: [u32; 4] = [0, 2, 4, 6];

struct OwnKernel {
    shifts: [u32; 4],
}

impl OwnKernel {
    /// `sum(code * a)` over a row: `codes` has a quarter of the bytes that `activations` has.
    fn dot(&self, codes: &[u8], activations: &[i8]) -> i32 {
        let groups = codes
            .chunks_exact(GROUP_BYTES)
            .zip(activations.chunks_exact(GROUP));
        let mut sum = 0;
        for (bytes, activations) in groups {
            for (quarter, shift) in activations.chunks_exact(GROUP_BYTES).zip(self.shifts) {
                for (byte, &a) in bytes.iter().zip(quarter) {
                    sum += i32::from(byte >> shift & 3) * i32::from(a);
                }
            }
        }
        sum
    }

    fn failed(&self, operation: &'static str, reason: &str) -> SideError {
        SideError::Failed {
            side: self.id().into(),
            operation,
            reason: reason.into(),
        }
    }
}

/// Activations of a row in 8 bits: `x` is about `codes / scale`.
struct QuantizedRow {
    codes: Vec<i8>,
    scale: f32,
}

/// None for activations that are not finite, which no product may be made of.
fn quantize_row(activations: &[f32]) -> Option<QuantizedRow> {
    let mut max = 1e-5;
    for &x in activations {
        if !x.is_finite() {
            return None;
        }
        max = f64::max(max, f64::from(x.abs()));
    }
    let scale = (127.0 / max) as f32;
    let code = |x: &f32| (x * scale).round_ties_even().clamp(-128.0, 127.0) as i8;
    Some(QuantizedRow {
        codes: activations.iter().map(code).collect(),
        scale,
    })
}

/// The bytes of the weights row by row. The scale of all stands behind the last.
fn rows<'a>(weights: &Weights<'a>) -> impl Iterator<Item = &'a [u8]> {
    let bytes = weights.bytes().chunks_exact(weights.cols() / 4);
    bytes.take(weights.rows())
}

impl Implementation for OwnKernel {
    fn id(&self) -> &str {
        "own"
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        if *storage.format() == I2_S_GROUP128 && storage.flavour() == Flavour::Qk256 {
            return Ok(());
        }
        Err(SideError::Undefined {
            side: self.id().into(),
            reason: format!("reads no {} in {}", storage.format().id, storage.flavour()),
        })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), SideError> {
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            for (out, row) in out.iter_mut().zip(rows(weights)) {
                *out = self.dot(row, activations).into();
            }
        }
        Ok(())
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        _threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        let weight_scale = weights.scale(0);
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            let QuantizedRow { codes, scale } = quantize_row(activations)
                .ok_or_else(|| self.failed("products", "an activation is not finite"))?;
            let sum: i32 = codes.iter().map(|&a| i32::from(a)).sum();
            for (out, row) in out.iter_mut().zip(rows(weights)) {
                // Codes 0, 1, 2 mean -1, 0, +1: the sum of activations is one too many for each.
                *out = (self.dot(row, &codes) as f32 - sum as f32) / scale * weight_scale;
            }
        }
        Ok(())
    }
}

/// Check a kernel of one's own, rung by rung, against every oracle and the arbiter
#[derive(Parser)]
#[command(after_help = Exit::HELP)]
struct Args {
    #[command(flatten)]
    check: CandidateCheck,
    /// Plant a mistake: read the four weights of each byte from the other end
    #[arg(long)]
    broken: bool,
    #[command(flatten)]
    output: OutputOptions,
}

fn main() -> Exit {
    let args = Args::parse();
    let shifts = if args.broken { WRONG_SHIFTS } else { SHIFTS };
    let candidate = Candidate {
        side: Box::new(OwnKernel { shifts }),
        format: &I2_S_GROUP128,
        slow: false,
    };
    conclude(&args.output, |out| args.check.run(vec![candidate], out))
}
