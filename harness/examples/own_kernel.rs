//! Checks a user's own kernel like `harness check` checks those of `qk256`.
//!
//! `OwnKernel` is a simple first version of a port: I2_S of bitnet.cpp on one thread, with activations quantized to 8
//! bits as in ggml. To check another kernel, implement [`Implementation`] with it: integer dots and f32 products.
//!
//! ```sh
//! cargo run -p harness --example own_kernel
//! cargo run -p harness --example own_kernel -- --broken
//! ```

use clap::Parser;
use harness::cli::{CandidateCheck, OutputOptions, conclude};
use harness::exit::Exit;
use harness::implementation::{Implementation, ImplementationError};
use harness::participant::Candidate;
use qk256::format::{I2_S_GROUP128, Storage, StorageVariant, Weights};

/// Number of weights in 32 bytes: byte `p` holds weights `p`, `p + 32`, `p + 64` and `p + 96`.
const GROUP: usize = 128;
const GROUP_BYTES: usize = 32;

/// Shifts of the four weights in a byte.
const SHIFTS: [u32; 4] = [6, 4, 2, 0];

/// The shifts of the mutant: reversed, as in TQ2_0.
const WRONG_SHIFTS: [u32; 4] = [0, 2, 4, 6];

struct OwnKernel {
    shifts: [u32; 4],
}

impl OwnKernel {
    /// `sum(code * a)` over a row. `codes` has a quarter of the length of `activations`.
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

    fn failed(&self, operation: &'static str, reason: &str) -> ImplementationError {
        ImplementationError::failed(self.id(), operation, reason)
    }
}

/// Activations of a row in 8 bits: `x` is approximately `codes / scale`.
struct QuantizedRow {
    codes: Vec<i8>,
    scale: f32,
}

/// Quantizes a row. None if an activation is not finite, because products must refuse it.
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

/// The bytes of the weights, row by row. The scale of the tensor follows the last row.
fn rows<'a>(weights: &Weights<'a>) -> impl Iterator<Item = &'a [u8]> {
    let bytes = weights.bytes().chunks_exact(weights.cols() / 4);
    bytes.take(weights.rows())
}

impl Implementation for OwnKernel {
    fn id(&self) -> &str {
        "own"
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        if *storage.format() == I2_S_GROUP128 && storage.variant() == StorageVariant::Qk256 {
            return Ok(());
        }
        Err(ImplementationError::Undefined {
            implementation: self.id().into(),
            reason: format!("reads no {} in {}", storage.format().id, storage.variant()),
        })
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
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
    ) -> Result<(), ImplementationError> {
        let weight_scale = weights.scale(0);
        let batch = activations.chunks_exact(weights.cols());
        for (out, activations) in out.chunks_exact_mut(weights.rows()).zip(batch) {
            let QuantizedRow { codes, scale } = quantize_row(activations)
                .ok_or_else(|| self.failed("products", "an activation is not finite"))?;
            let sum: i32 = codes.iter().map(|&a| i32::from(a)).sum();
            for (out, row) in out.iter_mut().zip(rows(weights)) {
                // Codes 0, 1, 2 have the values -1, 0, +1, so the sum of the activations is subtracted.
                *out = (self.dot(row, &codes) as f32 - sum as f32) / scale * weight_scale;
            }
        }
        Ok(())
    }
}

/// Check your own kernel, level by level, against every oracle and the reference model
#[derive(Parser)]
#[command(after_help = Exit::HELP)]
struct Args {
    #[command(flatten)]
    check: CandidateCheck,
    /// Run a mutant: read the four weights of each byte in reversed order
    #[arg(long)]
    broken: bool,
    #[command(flatten)]
    output: OutputOptions,
}

fn main() -> Exit {
    let args = Args::parse();
    let shifts = if args.broken { WRONG_SHIFTS } else { SHIFTS };
    let candidate = Candidate {
        implementation: Box::new(OwnKernel { shifts }),
        format: &I2_S_GROUP128,
        slow: false,
    };
    conclude(&args.output, |out| args.check.run(vec![candidate], out))
}
