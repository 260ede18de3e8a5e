//! A hypothesis: a fault with its parameters and the results that it predicts.

use super::number::Number;
use super::steps::Steps;
use super::work::Work;
use crate::cause::Fault;

/// Predicts the result of an activation row and a weight row.
pub(super) type Prediction = Box<dyn Fn(&Work, usize, usize) -> Guess + Send + Sync>;

/// A fault that may be the cause.
pub(super) struct Hypothesis {
    pub(super) fault: Fault,
    pub(super) predict: Prediction,
}

/// A predicted result.
pub(super) enum Guess {
    /// The right result.
    Right,
    /// One of these numbers.
    OneOf(Vec<Number>),
    /// Off by a multiple of this number, which may be zero.
    OffByMultipleOf(f64),
    /// NaN or infinite.
    NotFinite,
    /// The fault predicts nothing for this result.
    Anything,
}

impl Guess {
    fn agrees(&self, work: &Work, batch: usize, row: usize) -> bool {
        let actual = work.actual(batch, row);
        match self {
            Guess::Right => !work.is_wrong(batch, row),
            Guess::OneOf(numbers) => numbers.iter().any(|number| number.is(actual)),
            Guess::OffByMultipleOf(step) => {
                let off = (actual - work.truth(batch, row)) / step;
                (off - off.round()).abs() * step.abs() <= work.tolerance(batch, row)
            }
            Guess::NotFinite => !actual.is_finite(),
            Guess::Anything => true,
        }
    }
}

/// The score of a hypothesis against the results of an implementation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// Number of wrong results.
    pub(super) wrong: u64,
    /// Number of wrong results that match the prediction.
    pub(super) explained: u64,
}

impl Hypothesis {
    /// A hypothesis whose results are computed with changed steps.
    pub(super) fn by_steps(fault: Fault, steps: Steps) -> Hypothesis {
        Hypothesis::by_any_steps(fault, vec![steps])
    }

    /// A hypothesis whose results are computed with one of several sets of steps.
    pub(super) fn by_any_steps(fault: Fault, ways: Vec<Steps>) -> Hypothesis {
        let predict = move |work: &Work, batch: usize, row: usize| {
            if !work.is_finite() {
                return Guess::Right;
            }
            Guess::OneOf(
                ways.iter()
                    .map(|way| way.result(work, batch, row))
                    .collect(),
            )
        };
        Hypothesis {
            fault,
            predict: Box::new(predict),
        }
    }

    /// Scores the hypothesis. None if it predicts an error where the result is right.
    pub(super) fn score(&self, work: &Work) -> Option<Score> {
        let mut score = Score::default();
        for (batch, row) in work.places() {
            let agrees = (self.predict)(work, batch, row).agrees(work, batch, row);
            if work.is_wrong(batch, row) {
                score.wrong += 1;
                score.explained += u64::from(agrees);
            } else if !agrees {
                return None;
            }
        }
        Some(score)
    }
}

impl Score {
    /// A score with this number of wrong results, none of them explained.
    pub(super) fn unexplained(wrong: u64) -> Score {
        let explained = 0;
        Score { wrong, explained }
    }

    /// The sum of both scores.
    pub(super) fn plus(self, other: Score) -> Score {
        Score {
            wrong: self.wrong + other.wrong,
            explained: self.explained + other.explained,
        }
    }
}
