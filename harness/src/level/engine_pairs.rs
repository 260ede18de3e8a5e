//! The engines that run a model on a level, and the handling of their failures.

use std::path::Path;

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
    /// The engines whose distance is the noise floor; none if the candidate must have the oracle's bits.
    pub(super) floor: Option<(usize, usize)>,
    /// Whether both must have the same nodes: the forward pass has those of the identity builds. Other graphs may be of
    /// another vintage.
    pub(super) same_graph: bool,
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
        // The index of each engine's oracle among the references.
        let running: Vec<(usize, &dyn Engine)> = running(participants, task)
            .into_iter()
            .filter_map(|index| Some((index, participants.references[index].engine.as_deref()?)))
            .collect();
        let at = |reference: usize| running.iter().position(|(index, _)| *index == reference);
        let is_pair = |candidate: &dyn Engine, reference: usize| {
            let reference = &participants.references[reference];
            reference.compared && candidate.is_compared_with(reference.upstream())
        };
        let mut engines: Vec<&dyn Engine> = running.iter().map(|&(_, engine)| engine).collect();
        let candidates = participants.engines.iter().map(Box::as_ref);
        engines.extend(candidates.filter(|candidate| {
            let mut references = running.iter();
            references.any(|(index, _)| is_pair(*candidate, *index))
        }));
        let mut pairs = Vec::new();
        for candidate in running.len()..engines.len() {
            for (reference, (index, _)) in running.iter().enumerate() {
                if !is_pair(engines[candidate], *index) {
                    continue;
                }
                let floor = comparable(participants, *index);
                let mut pair = Pair {
                    reference,
                    candidate,
                    same_graph: participants.upstream.is_none()
                        && participants.references[*index].is_identity(),
                    floor: None,
                    accumulator: PairAccumulator::new(
                        level,
                        engines[candidate].id(),
                        engines[reference].id(),
                    ),
                };
                match floor {
                    Ok(floor) => pair.floor = floor.and_then(|(a, b)| Some((at(a)?, at(b)?))),
                    Err(reason) => pair.accumulator.omit(Omission::skipped(reason)),
                }
                pairs.push(pair);
            }
        }
        let is_omitted = |pair: &Pair| pair.accumulator.outcome.omitted.is_some();
        match &task.decoding {
            Ok(decoding) if !pairs.iter().all(is_omitted) => Ok(EnginePairs {
                engines,
                pairs,
                decoding,
                reproduce: task.rerun(level),
            }),
            decoding => Err(pairs
                .into_iter()
                .map(|mut pair| {
                    if let Err(reason) = decoding {
                        pair.accumulator.omit(Omission::skipped(reason.clone()));
                    }
                    pair.accumulator.finish()
                })
                .collect()),
        }
    }
}

/// The oracles, by their indices, that run the task's model.
pub(super) fn running(participants: &Participants, task: &Task<'_>) -> Vec<usize> {
    let model = task.decoding.as_ref().map(|decoding| &*decoding.model);
    participants.running(model.unwrap_or(Path::new("")))
}

/// The noise floor of comparisons with an oracle, as [`Participants::noise_floor`]. Checks that the forward pass can have
/// the oracle's results, up to the noise floor: its arithmetic is that of the identity builds for one CPU architecture.
/// On others the oracle itself computes other results.
fn comparable(
    participants: &Participants,
    reference: usize,
) -> Result<Option<(usize, usize)>, String> {
    let floor = participants.noise_floor(reference)?;
    if participants.upstream.is_some() {
        return Ok(floor);
    }
    let base = floor.map_or(reference, |(base, _)| base);
    let Some(description) = &participants.references[base].description else {
        return Ok(floor);
    };
    let compiled_for = &description.instruction_set;
    let feature = Forward::FEATURE;
    if compiled_for.is_empty() || compiled_for.iter().any(|name| name == feature) {
        return Ok(floor);
    }
    Err(format!(
        "the forward pass has the arithmetic of {feature} code; here {} is compiled for {}",
        description.id,
        compiled_for.join(" ")
    ))
}

impl Pair {
    /// The engines that the candidate is compared with: those of the noise floor and the oracle.
    pub(super) fn judged_by(&self) -> impl Iterator<Item = usize> + use<> {
        let floor = self.floor.map(|(a, b)| [a, b]).into_iter().flatten();
        let reference = self.reference;
        floor
            .filter(move |&engine| engine != reference)
            .chain([reference])
    }

    /// Records the oracle's graph and the failures of both engines.
    ///
    /// A model that an engine refuses is `unsupported`, because only numbers can be wrong. An engine that dies or stops
    /// answering is a divergence. This includes the oracles of the noise floor.
    pub(super) fn record_failures(&mut self, ran: &[EngineRun], reproduce: &Rerun) {
        let (reference, candidate) = (&ran[self.reference], &ran[self.candidate]);
        self.accumulator.outcome.graph.clone_from(&reference.graph);
        let judged_by: Vec<&EngineRun> = self.judged_by().map(|engine| &ran[engine]).collect();
        let failures = || {
            judged_by
                .iter()
                .chain([&candidate])
                .filter_map(|ran| ran.failure.as_ref())
        };
        let lost = failures().filter_map(InferenceError::lost_participant);
        let lost: Vec<String> = lost.map(String::from).collect();
        if lost.is_empty() {
            // The reasons of other oracles matter only if the pair itself has none.
            let of_pair = [reference, candidate].into_iter();
            let of_pair: Vec<&InferenceError> =
                of_pair.filter_map(|ran| ran.failure.as_ref()).collect();
            let reasons = match of_pair.is_empty() {
                true => failures().collect(),
                false => of_pair,
            };
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
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
    use crate::participant::{BuildKind, Reference, ReferenceModel};
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

    fn participants(instruction_set: &[&str]) -> Participants {
        let description = Description {
            id: "oracle".into(),
            upstream: String::new(),
            version: String::new(),
            checksum: String::new(),
            compiler: String::new(),
            flags: Vec::new(),
            instruction_set: instruction_set.iter().map(ToString::to_string).collect(),
            formats: Vec::new(),
            refused: Vec::new(),
        };
        Participants {
            references: vec![Reference {
                implementation: Box::new(ReferenceModel),
                compared: true,
                description: Some(description),
                build: BuildKind::Identity,
                engine: Some(Box::new(Idle)),
                luts: Luts::default(),
            }],
            candidates: Vec::new(),
            engines: vec![Box::new(Idle)],
            upstream: None,
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
        assert_eq!(skipped(&participants(&["avx2", "fma"]), &task), None);
        let reason = skipped(&participants(&["neon"]), &task).unwrap();
        assert!(reason.ends_with("oracle is compiled for neon"), "{reason}");
        let of_oracle = Participants {
            upstream: Some("llama.cpp".into()),
            ..participants(&["neon"])
        };
        let reason = skipped(&of_oracle, &task).unwrap();
        assert!(reason.starts_with("no noise floor for "), "{reason}");
    }

    #[test]
    fn without_tokens_nothing_is_run() {
        let task = task(Err("no tokenizer".into()));
        let reason = skipped(&participants(&["avx2"]), &task);
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
                floor: None,
                same_graph: true,
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
