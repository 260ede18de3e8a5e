//! Computes the figures of a report from samples.

use super::roof::MultiplyAdd;
use super::sampling::Times;
use super::statistics::Median;
use super::timing::{MultiplyAddRoof, ReadRoof, Roofs, Timing, Versus};
use crate::measure::Counter;

/// The time of a call.
pub(super) fn timing(times: &Times) -> Timing {
    Timing {
        seconds: Median::of(&times.seconds).expect("there is at least one round of samples"),
        calls: times.calls,
    }
}

fn median_ratio(numerators: &[f64], denominators: &[f64]) -> Median {
    Median::of_ratios(numerators, denominators).expect("there is at least one round of samples")
}

/// Compares times and results with those of an oracle.
pub(super) fn versus(
    oracle: &str,
    (oracle_times, oracle_results): (&Times, &[f32]),
    (own_times, own_results): (&Times, &[f32]),
) -> Versus {
    let mut counter = Counter::default();
    counter.add(oracle_results, own_results);
    let measures = counter.measures();
    Versus {
        oracle: oracle.into(),
        time: timing(oracle_times),
        ratio: median_ratio(&oracle_times.seconds, &own_times.seconds),
        nmse: measures.nmse.filter(|_| measures.non_finite == 0),
    }
}

/// The amount of work of a call, which scales the roofs.
pub(super) struct Work {
    /// Size of the weights in bytes.
    pub(super) bytes: usize,
    /// Number of multiplications of an int8 activation with a weight.
    pub(super) multiply_adds: u64,
}

/// The roofs of some work and the fractions of them that `own` reached. A call of the multiply-add roof executes
/// `bursts` bursts, summed over all threads.
pub(super) fn roofs(
    work: &Work,
    read: &Times,
    multiply_add: Option<(MultiplyAdd, u64, &Times)>,
    own: &Times,
) -> Roofs {
    let reading = timing(read);
    Roofs {
        read_roof: ReadRoof {
            bytes_per_second: work.bytes as f64 / reading.seconds.value,
            share: median_ratio(&read.seconds, &own.seconds),
            time: reading,
        },
        multiply_add_roof: multiply_add.map(|(instruction, bursts, times)| {
            let products = (instruction.burst_products() * bursts) as f64;
            let part = work.multiply_adds as f64 / products;
            let needed: Vec<f64> = times.seconds.iter().map(|seconds| seconds * part).collect();
            MultiplyAddRoof {
                instruction: instruction.name().into(),
                per_second: products / timing(times).seconds.value,
                share: median_ratio(&needed, &own.seconds),
            }
        }),
    }
}
