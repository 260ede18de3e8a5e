//! Known divergences on the block level: runs their reproductions and counts the differences that they explain.

use crate::finding::{Finding, Observed};
use crate::known::KnownDivergence;
use crate::levels::Level;
use crate::measure::Counter;
use crate::outcome::Outcome;
use crate::participant::Reference;
use crate::rerun::Rerun;
use crate::verdict::{Attribution, Verdict};

/// The differences of one oracle that an entry explains.
pub(super) struct Seen {
    pub(super) known: &'static KnownDivergence,
    pub(super) reference: String,
    pub(super) counter: Counter,
}

impl Seen {
    /// Empty counters for each entry that applies to the oracle and the type of the format.
    pub(super) fn nothing(reference: &Reference, format: &qk256::format::Format) -> Vec<Seen> {
        let of = |known| Seen {
            known,
            reference: reference.implementation.id().into(),
            counter: Counter::default(),
        };
        KnownDivergence::of(reference, format)
            .into_iter()
            .map(of)
            .collect()
    }

    /// Whether both are of the same entry and oracle.
    pub(super) fn is_of(&self, other: &Seen) -> bool {
        self.known.id == other.known.id && self.reference == other.reference
    }

    /// The outcome of the entry. If `tried`, the reproduction is run on the oracle. None if another shard runs it and
    /// no difference was seen.
    pub(super) fn finish(mut self, reference: &Reference, tried: bool) -> Option<Outcome> {
        let known = self.known;
        let listed = known.reproduction;
        let answer = if tried {
            known.reproduce(reference.implementation.as_ref())
        } else if self.counter.measures().comparisons > 0 {
            Ok(listed.oracle)
        } else {
            return None;
        };
        let reproduces = answer.as_ref() == Ok(&listed.oracle);
        if let (Ok(answer), true) = (&answer, tried) {
            self.counter.add_integers(&[*answer], &[listed.right]);
        }
        let finding = || Finding {
            truth: Some(listed.right as f64),
            attribution: Attribution::ReferenceWrong,
            ..Finding::new(
                format!(
                    "{} columns, codes all {}, activations all {}",
                    listed.cols, listed.code, listed.activation
                ),
                "a listed divergence that no longer reproduces",
                Observed::from(listed.oracle),
                answer
                    .as_ref()
                    .map_or_else(|e| Observed::from(e.to_string()), |&a| Observed::from(a)),
                &Rerun::of_level(Level::Block),
            )
        };
        Some(Outcome {
            level: Level::Block,
            format: Some(known.format.clone()),
            candidate: known.id.clone(),
            verdict: if reproduces {
                Verdict::KnownDivergence
            } else {
                Verdict::Divergent
            },
            measures: self.counter.measures(),
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
    use crate::mutant::{Evaluator, Hooks, MUTANTS};
    use crate::participant::BuildKind;
    use crate::probe::Luts;

    fn outcome(implementation: impl Implementation + 'static) -> Outcome {
        let reference = Reference {
            implementation: Box::new(implementation),
            compared: true,
            description: None,
            build: BuildKind::Identity,
            engine: None,
            luts: Luts::default(),
        };
        let seen = Seen {
            known: &known::all()[0],
            reference: reference.implementation.id().into(),
            counter: Counter::default(),
        };
        seen.finish(&reference, true).unwrap()
    }

    #[test]
    fn a_listed_divergence_that_no_longer_reproduces_fails() {
        let wrap = MUTANTS.iter().find(|m| m.name == "int16-wrap").unwrap();
        let wrapping = outcome(Evaluator::new(wrap.name, &I2_S_GROUP128, wrap.hooks));
        assert_eq!(wrapping.verdict, Verdict::KnownDivergence);
        assert_eq!(wrapping.measures.mismatches, 1);

        let repaired = outcome(Evaluator::new("right", &I2_S_GROUP128, Hooks::RIGHT));
        assert_eq!(repaired.verdict, Verdict::Divergent);
        assert_eq!(repaired.findings[0].actual.value, "552704");
    }
}
