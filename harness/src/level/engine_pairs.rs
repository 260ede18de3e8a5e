//! The engines that run a model on a level, and the handling of their failures.

use super::stream::EngineRun;
use crate::decoding::Decoding;
use crate::finding::{Finding, Observed};
use crate::inference::{Engine, InferenceError};
use crate::levels::Level;
use crate::outcome::{Omission, Outcome, PairAccumulator};
use crate::participant::{Forward, Participants};
use crate::rerun::Rerun;
use crate::task::Task;
use crate::verdict::Attribution;

/// The engines of a run, those of oracles first, and the outcomes of their pairs.
pub(super) struct EnginePairs<'a> {
    pub(super) engines: Vec<&'a dyn Engine>,
    pub(super) pairs: Vec<Pair>,
    pub(super) decoding: &'a Decoding,
    /// The command that runs the level again.
    pub(super) reproduce: Rerun,
}

/// An oracle and a candidate, by their indices among the engines.
pub(super) struct Pair {
    pub(super) reference: usize,
    pub(super) candidate: usize,
    pub(super) accumulator: PairAccumulator,
}

impl<'a> EnginePairs<'a> {
    /// The engines of all participants that can run a model.
    ///
    /// # Errors
    ///
    /// Outcomes with the reason why the model is not run.
    pub(super) fn of(
        level: Level,
        participants: &'a Participants,
        task: &'a Task<'_>,
    ) -> Result<EnginePairs<'a>, Vec<Outcome>> {
        let running: Vec<(&dyn Engine, bool)> = participants
            .references
            .iter()
            .filter_map(|reference| Some((reference.engine.as_deref()?, reference.compared)))
            .collect();
        let references = running.len();
        let mut engines: Vec<&dyn Engine> = running.iter().map(|&(engine, _)| engine).collect();
        engines.extend(participants.engines.iter().map(Box::as_ref));
        let pairs = (references..engines.len()).flat_map(|candidate| {
            let compared = (0..references).filter(|&reference| running[reference].1);
            let engines = &engines;
            compared.map(move |reference| Pair {
                reference,
                candidate,
                accumulator: PairAccumulator::new(
                    level,
                    engines[candidate].id(),
                    engines[reference].id(),
                ),
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        let ready = comparable(participants).and(task.decoding.as_ref().map_err(Clone::clone));
        match ready {
            Ok(decoding) => Ok(EnginePairs {
                engines,
                pairs,
                decoding,
                reproduce: task.rerun(level),
            }),
            Err(reason) => Err(pairs
                .into_iter()
                .map(|mut pair| {
                    pair.accumulator.omit(Omission::skipped(reason.clone()));
                    pair.accumulator.finish()
                })
                .collect()),
        }
    }
}

/// Checks that identical results can be expected. On other CPU architectures the oracle itself computes other results.
fn comparable(participants: &Participants) -> Result<(), String> {
    let first = participants.references.iter().find(|r| r.engine.is_some());
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
    /// Records the oracle's graph and the failures of both engines.
    ///
    /// A model that an engine refuses is `unsupported`, because only numbers can be wrong. An engine that dies or stops
    /// answering is a divergence. This includes the first oracle, without which another build has no noise floor.
    pub(super) fn record_failures(&mut self, ran: &[EngineRun], reproduce: &Rerun) {
        let (reference, candidate) = (&ran[self.reference], &ran[self.candidate]);
        self.accumulator.outcome.graph.clone_from(&reference.graph);
        let judged_by = [&ran[0], reference];
        let judged_by = &judged_by[usize::from(self.reference == 0)..];
        let failures = || {
            judged_by
                .iter()
                .chain([&candidate])
                .filter_map(|ran| ran.failure.as_ref())
        };
        let lost = failures().filter_map(InferenceError::lost_participant);
        let lost: Vec<String> = lost.map(String::from).collect();
        if lost.is_empty() {
            let reasons: Vec<String> = failures().map(ToString::to_string).collect();
            if !reasons.is_empty() {
                self.accumulator
                    .omit(Omission::unsupported(reasons.join("; ")));
            }
            return;
        }
        let mut limited = failures().filter_map(|failure| Some((failure, failure.limit()?)));
        self.accumulator.outcome.limit = limited.next().map(|(failure, limit)| {
            format!("{} ({limit})", failure.to_string().replace('\n', "; "))
        });
        let is_lost = |ran: &EngineRun| {
            ran.failure
                .as_ref()
                .is_some_and(|f| f.lost_participant().is_some())
        };
        let words = |failure: Option<&InferenceError>| {
            Observed::from(failure.map_or_else(|| "an answer".into(), ToString::to_string))
        };
        let of_references = judged_by
            .iter()
            .find(|ran| is_lost(ran))
            .unwrap_or(&reference);
        let finding = Finding {
            attribution: Attribution::from_truth(!is_lost(candidate), !is_lost(of_references)),
            ..Finding::new(
                "the model",
                "the whole run",
                words(of_references.failure.as_ref()),
                words(candidate.failure.as_ref()),
                reproduce,
            )
        };
        self.accumulator.lose(lost, finding);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use cpp_shim::Description;

    use super::*;
    use crate::inference::{Inference, InferenceParams};
    use crate::participant::{Reference, ReferenceModel};
    use crate::probe::Luts;
    use crate::progress::Progress;
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

    fn participants(id: &str, instruction_set: &[&str]) -> Participants {
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
        Participants {
            references: vec![Reference {
                implementation: Box::new(ReferenceModel),
                compared: true,
                description: Some(description),
                engine: Some(Box::new(Idle)),
                luts: Luts::default(),
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
            progress: Progress::silent(),
        }
    }

    /// The reason why nothing is run, if there is one.
    fn skipped(participants: &Participants, task: &Task<'_>) -> Option<String> {
        let outcomes = EnginePairs::of(Level::Node, participants, task).err()?;
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].verdict, Verdict::Skipped);
        outcomes[0].omitted.clone().map(|omission| omission.reason)
    }

    #[test]
    fn only_the_reproduced_arithmetic_is_compared() {
        let task = task(Ok(Decoding::new(PathBuf::new(), vec![1], 1)));
        assert_eq!(
            skipped(&participants(Forward::FOLLOWS, &["avx2", "fma"]), &task),
            None
        );
        let reason = skipped(&participants(Forward::FOLLOWS, &["neon"]), &task).unwrap();
        assert!(reason.ends_with("compiled for neon"), "{reason}");
        let reason = skipped(&participants("llama.cpp/strict", &["avx2"]), &task).unwrap();
        assert!(reason.contains("llama.cpp/strict"), "{reason}");
    }

    #[test]
    fn without_tokens_nothing_is_run() {
        let task = task(Err("no tokenizer".into()));
        let reason = skipped(&participants(Forward::FOLLOWS, &["avx2"]), &task);
        assert_eq!(reason.as_deref(), Some("no tokenizer"));
    }

    #[test]
    fn failures_are_omissions_or_divergences() {
        let implementation = || "side".to_owned();
        let reason = || "reason".to_owned();
        let unsupported = || InferenceError::Unsupported {
            implementation: implementation(),
            reason: reason(),
        };
        let refused = || InferenceError::Refused {
            implementation: implementation(),
            reason: reason(),
        };
        let lost = || InferenceError::Lost {
            implementation: implementation(),
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
                Some(Attribution::ReferenceWrong),
            ),
            (
                Some(lost()),
                Some(refused()),
                Verdict::Divergent,
                Some(Attribution::ReferenceWrong),
            ),
            (
                Some(refused()),
                Some(lost()),
                Verdict::Divergent,
                Some(Attribution::CandidateWrong),
            ),
        ];
        for (reference, candidate, verdict, attribution) in cases {
            let mut pair = Pair {
                reference: 0,
                candidate: 1,
                accumulator: PairAccumulator::new(Level::Node, "candidate", "reference"),
            };
            let ran = [reference, candidate].map(|failure| EngineRun {
                graph: failure.is_none().then(|| "whose".into()),
                failure,
            });
            pair.record_failures(&ran, &task(Err(String::new())).rerun(Level::Node));
            let outcome = pair.accumulator.finish();
            assert_eq!(outcome.graph, ran[0].graph);
            let found = outcome.findings.first().map(|finding| finding.attribution);
            assert_eq!((outcome.verdict, found), (verdict, attribution), "{ran:?}");
            assert_eq!(outcome.omitted.is_some(), verdict == Verdict::Unsupported);
            assert_eq!(outcome.lost.is_empty(), verdict == Verdict::Unsupported);
        }
    }
}
