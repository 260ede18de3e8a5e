//! Interleaves runners (A B A B), so that a temporary slowdown of the machine affects all of them.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::plan::Effort;
use super::statistics::FEWEST_SAMPLES;
use crate::implementation::ImplementationError;

/// Maximal number of samples. More would narrow the interval only a little.
const MOST_SAMPLES: usize = 400;

/// Maximal number of calls in a sample.
const MOST_CALLS: usize = 1 << 16;

/// A timed participant. Executes the calls with these numbers one after the other.
pub(super) type Runner<'a> = Box<dyn FnMut(Range<usize>) -> Result<(), ImplementationError> + 'a>;

/// The times of one runner.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Times {
    /// Seconds per call, one value for each sample.
    pub(super) seconds: Vec<f64>,
    /// Number of calls in each sample.
    pub(super) calls: usize,
}

/// Samples the runners in turn until the time of a case is over, at least [`FEWEST_SAMPLES`] times.
///
/// Calls are numbered across all runners. If buffers rotate, a runner never finds the data of another runner in the
/// cache.
///
/// # Errors
///
/// The first error of a runner.
pub(super) fn sample_interleaved(
    runners: &mut [Runner<'_>],
    effort: &Effort,
) -> Result<Vec<Times>, ImplementationError> {
    let mut next = 0;
    let mut timed = |runner: &mut Runner<'_>, calls: usize| {
        let numbers = next..next + calls;
        next += calls;
        let start = Instant::now();
        runner(numbers)?;
        Ok(start.elapsed())
    };
    let mut times = Vec::new();
    for runner in runners.iter_mut() {
        // The first call warms the caches and starts threads. The second measures the time of a call.
        timed(runner, 1)?;
        let calls = calls_of(timed(runner, 1)?, effort.sample);
        times.push(Times {
            seconds: Vec::new(),
            calls,
        });
    }
    let start = Instant::now();
    for round in 0..MOST_SAMPLES {
        if round >= FEWEST_SAMPLES && start.elapsed() >= effort.case {
            break;
        }
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            let elapsed = timed(runner, times.calls)?;
            times
                .seconds
                .push(elapsed.as_secs_f64() / times.calls as f64);
        }
    }
    Ok(times)
}

/// Number of calls that fill a sample.
fn calls_of(one: Duration, sample: Duration) -> usize {
    let calls = sample.as_secs_f64() / one.as_secs_f64().max(1e-9);
    (calls.ceil() as usize).clamp(1, MOST_CALLS)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const EFFORT: Effort = Effort {
        case: Duration::ZERO,
        sample: Duration::ZERO,
    };

    #[test]
    fn runners_alternate_on_numbered_calls() {
        let log = RefCell::new(Vec::new());
        let runner = |name: char| -> Runner<'_> {
            let log = &log;
            Box::new(move |calls| {
                log.borrow_mut().push((name, calls));
                Ok(())
            })
        };
        let times = sample_interleaved(&mut [runner('A'), runner('B')], &EFFORT).unwrap();
        assert!(
            times
                .iter()
                .all(|t| t.seconds.len() == FEWEST_SAMPLES && t.calls == 1)
        );

        let log = log.into_inner();
        let order: String = log.iter().map(|(name, _)| name).collect();
        assert_eq!(order, "AABB".to_owned() + &"AB".repeat(FEWEST_SAMPLES));
        let numbers: Vec<usize> = log.into_iter().flat_map(|(_, calls)| calls).collect();
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_failing_runner_ends_the_sampling() {
        let error = ImplementationError::failed("B", "products", "no");
        let printed = error.clone();
        let runners: &mut [Runner<'_>] = &mut [
            Box::new(|_| Ok(())),
            Box::new(move |_| Err(printed.clone())),
        ];
        assert_eq!(sample_interleaved(runners, &EFFORT), Err(error));
    }

    #[test]
    fn a_sample_is_filled() {
        let millis = Duration::from_millis;
        assert_eq!(calls_of(millis(2), millis(5)), 3);
        assert_eq!(calls_of(millis(9), millis(5)), 1);
        assert_eq!(calls_of(Duration::ZERO, millis(5)), MOST_CALLS);
    }
}
