//! Wrong code values, derived from the dots of rows of one code with a single activation of 1.

use qk256::format::QK256;

use super::super::hypothesis::Hypothesis;
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::Fault;

/// The derived values of all storable codes.
pub(super) struct Read {
    pub(super) values: Vec<i64>,
    pub(super) declared: Vec<i64>,
}

impl Read {
    /// Derives the values. None if the implementation does not compute such dots.
    pub(super) fn of(subject: &Subject<'_>) -> Option<Read> {
        let codebook = subject.format.codebook;
        let mut one = vec![0; 2 * QK256];
        one[0] = 1;
        let raw = |code| subject.first(subject.constant(code, Input::Codes(one.clone())));
        let value = |code| Some(raw(code)? as i64 - i64::from(codebook.offset()));
        let codes = || 0..subject.storable_codes();
        Some(Read {
            values: codes().map(value).collect::<Option<_>>()?,
            declared: codes().map(|code| codebook.value(code).into()).collect(),
        })
    }

    /// The steps of an implementation with these code values.
    pub(super) fn steps(&self, subject: &Subject<'_>) -> Steps {
        let offset = i64::from(subject.format.codebook.offset());
        let raw: Vec<i64> = self.values.iter().map(|value| value + offset).collect();
        Steps {
            raw: Box::new(move |code| raw.get(usize::from(code)).copied().unwrap_or(0)),
            ..Steps::right(subject.format)
        }
    }

    /// Whether code 3 is the only wrong one.
    pub(super) fn only_three_differs(&self) -> bool {
        self.values.len() == 4
            && self.values[..3] == self.declared[..3]
            && self.values[3] != self.declared[3]
    }
}

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let wrong = |read: &Read| read.values != read.declared && !read.only_three_differs();
    let hypothesis = |read: Read| {
        let steps = read.steps(subject);
        let Read { values, declared } = read;
        Hypothesis::by_steps(Fault::Codebook { values, declared }, steps)
    };
    Read::of(subject)
        .filter(wrong)
        .map(hypothesis)
        .into_iter()
        .collect()
}
