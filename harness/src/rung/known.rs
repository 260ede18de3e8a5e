//! Known divergences on the block rung: each is tried again, and what matches it is counted apart.

use crate::finding::{Finding, Observed};
use crate::known::KnownDivergence;
use crate::measure::Meter;
use crate::outcome::{Outcome, Rung};
use crate::side::Reference;
use crate::verdict::{Blame, Verdict};

/// Differences that an entry explains, for one oracle.
pub(super) struct Seen {
    pub(super) known: &'static KnownDivergence,
    pub(super) reference: String,
    pub(super) meter: Meter,
}

impl Seen {
    /// Nothing yet, for each entry that applies to the reference and the type of the format.
    pub(super) fn nothing(reference: &Reference, format: &qk256::format::Format) -> Vec<Seen> {
        let of = |known| Seen {
            known,
            reference: reference.side.id().into(),
            meter: Meter::default(),
        };
        KnownDivergence::of(reference, format)
            .into_iter()
            .map(of)
            .collect()
    }

    /// Whether this is the same entry and the same oracle.
    pub(super) fn is_of(&self, other: &Seen) -> bool {
        self.known.id == other.known.id && self.reference == other.reference
    }

    /// Says what everything comes to, the reproduction among it if it is to be `tried` on the oracle; nothing if that
    /// is left to another shard and nothing was seen.
    pub(super) fn finish(mut self, reference: &Reference, tried: bool) -> Option<Outcome> {
        let known = self.known;
        let listed = known.reproduction;
        let answer = if tried {
            known.reproduce(reference.side.as_ref())
        } else if self.meter.measures().comparisons > 0 {
            Ok(listed.oracle)
        } else {
            return None;
        };
        let reproduces = answer.as_ref() == Ok(&listed.oracle);
        if let (Ok(answer), true) = (&answer, tried) {
            self.meter.add_integers(&[*answer], &[listed.right]);
        }
        let finding = || Finding {
            subject: format!(
                "{} columns, codes all {}, activations all {}",
                listed.cols, listed.code, listed.activation
            ),
            place: "a listed divergence that no longer reproduces".into(),
            expected: Observed::from(listed.oracle),
            actual: answer
                .as_ref()
                .map_or_else(|e| Observed::from(e.to_string()), |&a| Observed::from(a)),
            truth: Some(listed.right as f64),
            blame: Blame::ReferenceWrong,
            node: None,
            cause: None,
            input: None,
            case: None,
            reproduce: "harness check --rung block".into(),
        };
        Some(Outcome {
            rung: Rung::Block,
            format: Some(known.format.clone()),
            candidate: known.id.clone(),
            verdict: if reproduces {
                Verdict::KnownDivergence
            } else {
                Verdict::Divergent
            },
            measures: self.meter.measures(),
            noise_floor: None,
            findings: if reproduces {
                Vec::new()
            } else {
                vec![finding()]
            },
            graph: None,
            nodes: Vec::new(),
            logits: None,
            omitted: None,
            lost: Vec::new(),
            limit: None,
            reference: self.reference,
        })
    }
}

#[cfg(test)]
mod tests {
    use qk256::format::I2_S_GROUP128;

    use super::*;
    use crate::implementation::Implementation;
    use crate::known;
    use crate::mistaken::{Evaluator, Hooks, MISTAKES};

    fn outcome(side: impl Implementation + 'static) -> Outcome {
        let reference = Reference {
            side: Box::new(side),
            compared: true,
            description: None,
            engine: None,
        };
        let seen = Seen {
            known: &known::all()[0],
            reference: reference.side.id().into(),
            meter: Meter::default(),
        };
        seen.finish(&reference, true).unwrap()
    }

    #[test]
    fn a_listed_divergence_is_known_while_it_reproduces_and_an_error_after() {
        let wrap = MISTAKES.iter().find(|m| m.name == "int16-wrap").unwrap();
        let wrapping = outcome(Evaluator::new(wrap.name, &I2_S_GROUP128, wrap.hooks));
        assert_eq!(wrapping.verdict, Verdict::KnownDivergence);
        assert_eq!(wrapping.measures.mismatches, 1);

        let repaired = outcome(Evaluator::new("right", &I2_S_GROUP128, Hooks::RIGHT));
        assert_eq!(repaired.verdict, Verdict::Divergent);
        assert_eq!(repaired.findings[0].actual.value, "552704");
    }
}
