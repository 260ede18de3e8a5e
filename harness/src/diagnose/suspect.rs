//! A suspect: a fault with figures, and what results it would give.

use super::number::Number;
use super::steps::Steps;
use super::work::Work;
use crate::cause::Fault;

/// What follows for the result of an activation row and a weight row.
pub(super) type Prediction = Box<dyn Fn(&Work, usize, usize) -> Guess + Send + Sync>;

/// A fault that may be the cause.
pub(super) struct Suspect {
    pub(super) fault: Fault,
    pub(super) predict: Prediction,
}

/// What a result would be.
pub(super) enum Guess {
    /// What is right.
    Right,
    /// One of these numbers.
    OneOf(Vec<Number>),
    /// Off by a multiple of this, which may be zero.
    OffByMultipleOf(f64),
    /// NaN or infinite.
    NotFinite,
    /// The fault says nothing of this result.
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

/// How a suspect stands the comparison with what a side answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// Wrong results.
    pub(super) wrong: u64,
    /// Wrong results that are as predicted.
    pub(super) explained: u64,
}

impl Suspect {
    /// A fault whose results are computed by other steps.
    pub(super) fn by_steps(fault: Fault, steps: Steps) -> Suspect {
        Suspect::by_any_steps(fault, vec![steps])
    }

    /// A fault whose results are computed by one of several ways.
    pub(super) fn by_any_steps(fault: Fault, ways: Vec<Steps>) -> Suspect {
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
        Suspect {
            fault,
            predict: Box::new(predict),
        }
    }

    /// Holds the suspect against answers. None if it predicts an error where there is none.
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
    /// So many wrong results, of which nothing is predicted.
    pub(super) fn unexplained(wrong: u64) -> Score {
        let explained = 0;
        Score { wrong, explained }
    }

    /// Both together.
    pub(super) fn plus(self, other: Score) -> Score {
        Score {
            wrong: self.wrong + other.wrong,
            explained: self.explained + other.explained,
        }
    }
}
