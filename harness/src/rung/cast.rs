//! Who runs a model on a rung, and what it means if one of them cannot.

use super::stream::Ran;
use crate::decoding::Decoding;
use crate::finding::{Finding, Observed};
use crate::inference::{Engine, InferenceError};
use crate::outcome::{Omission, Outcome, Rung, Tally};
use crate::side::{Forward, Sides};
use crate::task::Task;
use crate::verdict::Blame;

/// The engines of a run, those of references first, and what each pair of them comes to.
pub(super) struct Cast<'a> {
    pub(super) engines: Vec<&'a dyn Engine>,
    pub(super) pairs: Vec<Pair>,
    pub(super) decoding: &'a Decoding,
    /// One command that runs all this again.
    pub(super) reproduce: String,
}

/// A reference and a candidate, by their places among the engines.
pub(super) struct Pair {
    pub(super) reference: usize,
    pub(super) candidate: usize,
    pub(super) tally: Tally,
}

impl<'a> Cast<'a> {
    /// Everyone who can run a model.
    ///
    /// # Errors
    ///
    /// Outcomes that say why the model is not run.
    pub(super) fn of(
        rung: Rung,
        sides: &'a Sides,
        task: &'a Task<'_>,
    ) -> Result<Cast<'a>, Vec<Outcome>> {
        let running: Vec<(&dyn Engine, bool)> = sides
            .references
            .iter()
            .filter_map(|reference| Some((reference.engine.as_deref()?, reference.compared)))
            .collect();
        let references = running.len();
        let mut engines: Vec<&dyn Engine> = running.iter().map(|&(engine, _)| engine).collect();
        engines.extend(sides.engines.iter().map(Box::as_ref));
        let pairs = (references..engines.len()).flat_map(|candidate| {
            let compared = (0..references).filter(|&reference| running[reference].1);
            let engines = &engines;
            compared.map(move |reference| Pair {
                reference,
                candidate,
                tally: Tally::new(rung, engines[candidate].id(), engines[reference].id()),
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        let ready = comparable(sides).and(task.decoding.as_ref().map_err(Clone::clone));
        match ready {
            Ok(decoding) => Ok(Cast {
                engines,
                pairs,
                decoding,
                reproduce: task.command(&format!("--rung {rung} {}", decoding.options())),
            }),
            Err(reason) => Err(pairs
                .into_iter()
                .map(|mut pair| {
                    pair.tally.omit(Omission::skipped(reason.clone()));
                    pair.tally.finish()
                })
                .collect()),
        }
    }
}

/// Whether identical results can be asked for: on other CPU architectures the reference itself computes otherwise.
fn comparable(sides: &Sides) -> Result<(), String> {
    let first = sides.references.iter().find(|r| r.engine.is_some());
    let Some(description) = first.and_then(|reference| reference.description.as_ref()) else {
        return Ok(());
    };
    let compiled_for = &description.instruction_set;
    let (followed, feature) = (Forward::FOLLOWS, Forward::FEATURE);
    if description.id == followed && compiled_for.iter().any(|name| name == feature) {
        return Ok(());
    }
    Err(format!(
        "the forward pass follows {followed} as {feature} code; here the first oracle is {}, compiled for {}",
        description.id,
        compiled_for.join(" ")
    ))
}

impl Pair {
    /// Notes whose graph the reference computed, and what the failures of both sides mean, if they failed.
    ///
    /// A model that a side refuses is not compared: "wrong" is said only of numbers. Whoever dies or stops answering is
    /// at fault, and so is the first reference, without which another build has no noise floor.
    pub(super) fn settle(&mut self, ran: &[Ran], reproduce: &str) {
        let (reference, candidate) = (&ran[self.reference], &ran[self.candidate]);
        self.tally.outcome.graph.clone_from(&reference.graph);
        let judged_by = [&ran[0], reference];
        let judged_by = &judged_by[usize::from(self.reference == 0)..];
        let failures = || {
            judged_by
                .iter()
                .chain([&candidate])
                .filter_map(|ran| ran.failure.as_ref())
        };
        let lost = failures().filter_map(InferenceError::lost_side);
        let lost: Vec<String> = lost.map(String::from).collect();
        if lost.is_empty() {
            let reasons: Vec<String> = failures().map(ToString::to_string).collect();
            if !reasons.is_empty() {
                self.tally.omit(Omission::unsupported(reasons.join("; ")));
            }
            return;
        }
        let mut limited = failures().filter_map(|failure| Some((failure, failure.limit()?)));
        self.tally.outcome.limit = limited.next().map(|(failure, limit)| {
            format!("{} ({limit})", failure.to_string().replace('\n', "; "))
        });
        let is_lost = |ran: &Ran| {
            ran.failure
                .as_ref()
                .is_some_and(|f| f.lost_side().is_some())
        };
        let words = |failure: Option<&InferenceError>| {
            Observed::from(failure.map_or_else(|| "an answer".into(), ToString::to_string))
        };
        let of_references = judged_by
            .iter()
            .find(|ran| is_lost(ran))
            .unwrap_or(&reference);
        let finding = Finding {
            subject: "the model".into(),
            place: "the whole run".into(),
            expected: words(of_references.failure.as_ref()),
            actual: words(candidate.failure.as_ref()),
            truth: None,
            blame: Blame::from_truth(!is_lost(candidate), !is_lost(of_references)),
            node: None,
            cause: None,
            input: None,
            case: None,
            reproduce: reproduce.into(),
        };
        self.tally.lose(lost, finding);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use cpp_shim::Description;
    use indicatif::ProgressBar;

    use super::*;
    use crate::inference::{Inference, InferenceParams};
    use crate::side::{Arbiter, Reference};
    use crate::verdict::Verdict;

    struct Idle;

    impl Engine for Idle {
        fn id(&self) -> &str {
            "idle"
        }

        fn with_model(
            &self,
            _: &Path,
            _: &InferenceParams,
            _: &mut dyn FnMut(&mut dyn Inference),
        ) -> Result<(), InferenceError> {
            unreachable!("nothing is run here")
        }
    }

    fn sides(id: &str, instruction_set: &[&str]) -> Sides {
        let description = Description {
            id: id.into(),
            upstream: String::new(),
            version: String::new(),
            checksum: String::new(),
            compiler: String::new(),
            flags: Vec::new(),
            instruction_set: instruction_set.iter().map(ToString::to_string).collect(),
            formats: Vec::new(),
        };
        Sides {
            references: vec![Reference {
                side: Box::new(Arbiter),
                compared: true,
                description: Some(description),
                engine: Some(Box::new(Idle)),
            }],
            candidates: Vec::new(),
            engines: vec![Box::new(Idle)],
        }
    }

    fn task(decoding: Result<Decoding, String>) -> Task<'static> {
        Task {
            model: "m.gguf".into(),
            tensors: Vec::new(),
            decoding,
            seed: 1,
            shard: crate::shard::Shard::WHOLE,
            progress: ProgressBar::hidden(),
        }
    }

    /// Why nothing is run, or none.
    fn skipped(sides: &Sides, task: &Task<'_>) -> Option<String> {
        let outcomes = Cast::of(Rung::Node, sides, task).err()?;
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].verdict, Verdict::Skipped);
        outcomes[0].omitted.clone().map(|omission| omission.reason)
    }

    #[test]
    fn only_the_arithmetic_that_is_followed_is_compared_with() {
        let task = task(Ok(Decoding::new(PathBuf::new(), vec![1], 1)));
        assert_eq!(
            skipped(&sides(Forward::FOLLOWS, &["avx2", "fma"]), &task),
            None
        );
        let reason = skipped(&sides(Forward::FOLLOWS, &["neon"]), &task).unwrap();
        assert!(reason.ends_with("compiled for neon"), "{reason}");
        let reason = skipped(&sides("llama.cpp/strict", &["avx2"]), &task).unwrap();
        assert!(reason.contains("llama.cpp/strict"), "{reason}");
    }

    #[test]
    fn without_tokens_nothing_is_run() {
        let task = task(Err("no tokenizer".into()));
        let reason = skipped(&sides(Forward::FOLLOWS, &["avx2"]), &task);
        assert_eq!(reason.as_deref(), Some("no tokenizer"));
    }

    #[test]
    fn failures_are_skips_or_somebodys_fault() {
        let side = || "side".to_owned();
        let reason = || "reason".to_owned();
        let unsupported = || InferenceError::Unsupported {
            side: side(),
            reason: reason(),
        };
        let refused = || InferenceError::Refused {
            side: side(),
            reason: reason(),
        };
        let lost = || InferenceError::Lost {
            side: side(),
            how: "was killed by SIGABRT".into(),
            at: "open".into(),
            stderr: String::new(),
        };
        let cases = [
            (Some(unsupported()), None, Verdict::Unsupported, None),
            (None, Some(unsupported()), Verdict::Unsupported, None),
            (Some(refused()), None, Verdict::Unsupported, None),
            (None, Some(refused()), Verdict::Unsupported, None),
            (Some(refused()), Some(refused()), Verdict::Unsupported, None),
            (
                Some(lost()),
                None,
                Verdict::Divergent,
                Some(Blame::ReferenceWrong),
            ),
            (
                Some(lost()),
                Some(refused()),
                Verdict::Divergent,
                Some(Blame::ReferenceWrong),
            ),
            (
                Some(refused()),
                Some(lost()),
                Verdict::Divergent,
                Some(Blame::CandidateWrong),
            ),
        ];
        for (reference, candidate, verdict, blame) in cases {
            let mut pair = Pair {
                reference: 0,
                candidate: 1,
                tally: Tally::new(Rung::Node, "candidate", "reference"),
            };
            let ran = [reference, candidate].map(|failure| Ran {
                graph: failure.is_none().then(|| "whose".into()),
                failure,
            });
            pair.settle(&ran, "");
            let outcome = pair.tally.finish();
            assert_eq!(outcome.graph, ran[0].graph);
            let found = outcome.findings.first().map(|finding| finding.blame);
            assert_eq!((outcome.verdict, found), (verdict, blame), "{ran:?}");
            assert_eq!(outcome.omitted.is_some(), verdict == Verdict::Unsupported);
            assert_eq!(outcome.lost.is_empty(), verdict == Verdict::Unsupported);
        }
    }
}
