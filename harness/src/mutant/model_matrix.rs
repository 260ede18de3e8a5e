//! The mutation matrix of the forward pass: which measure detects which mutant, and where it is located.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{MODEL_MUTANTS, ModelMutant};
use crate::cause::Fault;
use crate::check;
use crate::decoding::{Decoding, default_tokens};
use crate::finding::NodeFinding;
use crate::levels::Level;
use crate::outcome::{Omission, Outcome};
use crate::participant::{Participants, Reference};
use crate::progress::Progress;
use crate::shard::Shard;
use crate::synth::{self, SynthError, TemporaryModel};
use crate::task::Task;
use crate::verdict::Verdict;

/// A mutant of the forward pass. The measures are from the outcomes that must be identical.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelMutantRecord {
    /// Name of the mutant.
    pub mutant: String,
    /// Description of the fault.
    pub description: String,
    /// Cosine similarity of the logits.
    pub cosine_similarity: f64,
    /// Mean Kullback-Leibler divergence of the distributions, in nats.
    pub kl_divergence: f64,
    /// Fraction of positions with the same most likely token.
    pub top1_agree: f64,
    /// The first node that differs.
    pub first_node: Option<NodeFinding>,
    /// Whether the mutant is in this node.
    pub located: bool,
    /// Causes of the first finding of each level.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mutant itself is the only cause.
    pub named: bool,
    /// Whether any of the levels diverges.
    pub gate: bool,
}

impl ModelMutantRecord {
    /// Whether a level diverges and the first differing node is that of the mutant.
    pub fn caught(&self) -> bool {
        self.gate && self.located
    }

    fn of(mutant: &ModelMutant, outcomes: &[Outcome]) -> ModelMutantRecord {
        let id = mutant.id();
        let held: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.candidate == id && outcome.held_to_identity())
            .collect();
        let logits = held.iter().find(|outcome| outcome.logits.is_some());
        let printed = logits.and_then(|outcome| outcome.logits.as_ref());
        let nodes = held.iter().filter(|outcome| outcome.level == Level::Node);
        let mut findings = nodes.flat_map(|outcome| &outcome.findings);
        let first_node = findings.find_map(|finding| finding.node.clone());
        let is_mutated = |node: &NodeFinding| {
            (node.name.as_str(), node.occurrence, node.decode)
                == (mutant.node, mutant.occurrence, 0)
        };
        let causes: Vec<Option<Fault>> = held
            .iter()
            .filter_map(|outcome| outcome.findings.first())
            .map(|finding| finding.cause.as_ref().map(|cause| cause.fault.clone()))
            .collect();
        let declared = Some(mutant.fault());
        ModelMutantRecord {
            mutant: mutant.name.into(),
            description: mutant.description.into(),
            cosine_similarity: logits
                .and_then(|outcome| outcome.measures.cosine_similarity)
                .unwrap_or(1.0),
            kl_divergence: printed.map_or(0.0, |logits| logits.measures.kl_divergence),
            top1_agree: printed.map_or(1.0, |logits| logits.measures.top1_agree),
            located: first_node.as_ref().is_some_and(is_mutated),
            first_node,
            named: !causes.is_empty() && causes.iter().all(|cause| *cause == declared),
            causes,
            gate: Verdict::overall(held.iter().map(|outcome| outcome.verdict))
                == Verdict::Divergent,
        }
    }

    /// Runs all mutants, grouped by model. Returns a row for each of [`MODEL_MUTANTS`], and the omitted comparisons.
    ///
    /// # Errors
    ///
    /// [`SynthError`] if a model cannot be generated.
    pub fn measure_all(
        references: Vec<Reference>,
        seed: u64,
        progress: &Progress,
    ) -> Result<(Vec<ModelMutantRecord>, Vec<Omission>), SynthError> {
        let mut recipes: Vec<&str> = MODEL_MUTANTS.iter().map(|m| m.recipe).collect();
        recipes.sort_unstable();
        recipes.dedup();
        let mut participants = Participants {
            references,
            candidates: Vec::new(),
            engines: Vec::new(),
            upstream: None,
        };
        let mut outcomes = Vec::new();
        for recipe in recipes {
            let of_recipe = MODEL_MUTANTS.iter().filter(|m| m.recipe == recipe);
            participants.engines = of_recipe.map(ModelMutant::engine).collect();
            outcomes.extend(run(recipe, &participants, seed, progress)?);
        }
        let omitted = outcomes.iter();
        let omitted = omitted.filter_map(|outcome| outcome.omitted.clone());
        let mut omitted: Vec<Omission> = omitted.collect();
        omitted.dedup();
        let rows = MODEL_MUTANTS.iter();
        let rows = rows.map(|mutant| ModelMutantRecord::of(mutant, &outcomes));
        Ok((rows.collect(), omitted))
    }
}

fn run(
    recipe: &str,
    participants: &Participants,
    seed: u64,
    progress: &Progress,
) -> Result<Vec<Outcome>, SynthError> {
    let model = TemporaryModel::create(recipe, &Progress::silent())?;
    let tokens = default_tokens(synth::find(recipe)?.sizes.vocabulary as usize);
    let task = Task {
        model: format!("{recipe}.gguf"),
        tensors: Vec::new(),
        decoding: Ok(Decoding::new(model.path().into(), tokens, 1)),
        seed,
        shard: Shard::WHOLE,
        progress: progress.clone(),
    };
    let check = check::run(&Level::OF_MODELS, participants, &task);
    let outcomes = check.levels.into_iter().flat_map(|report| report.outcomes);
    Ok(outcomes.collect())
}
