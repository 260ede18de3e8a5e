//! The mutation matrix of the forward pass: which measure detects which mutant, and where it is located.

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

/// The measures of a mutant of the forward pass, from the outcomes that must be identical.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCatches {
    /// Cosine similarity of the logits.
    pub cosine: f64,
    /// Mean KL divergence of the distributions in nats.
    pub kl_divergence: f64,
    /// Fraction of positions with the same likeliest token.
    pub top1_agree: f64,
    /// The first node that differs.
    pub first: Option<NodeFinding>,
    /// The fault in the first finding of each level.
    pub causes: Vec<Option<Fault>>,
    /// Whether the verdict of the levels is divergent.
    pub gate: bool,
}

impl ModelCatches {
    fn of(id: &str, outcomes: &[Outcome]) -> ModelCatches {
        let held: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.candidate == id && outcome.held_to_identity())
            .collect();
        let logits = held.iter().find(|outcome| outcome.logits.is_some());
        let printed = logits.and_then(|outcome| outcome.logits.as_ref());
        let nodes = held.iter().filter(|outcome| outcome.level == Level::Node);
        let mut findings = nodes.flat_map(|outcome| &outcome.findings);
        ModelCatches {
            cosine: logits
                .and_then(|outcome| outcome.measures.cosine_similarity)
                .unwrap_or(1.0),
            kl_divergence: printed.map_or(0.0, |logits| logits.measures.kl_divergence),
            top1_agree: printed.map_or(1.0, |logits| logits.measures.top1_agree),
            causes: held
                .iter()
                .filter_map(|outcome| outcome.findings.first())
                .map(|finding| finding.cause.as_ref().map(|cause| cause.fault.clone()))
                .collect(),
            first: findings.find_map(|finding| finding.node.clone()),
            gate: Verdict::overall(held.iter().map(|outcome| outcome.verdict))
                == Verdict::Divergent,
        }
    }

    /// Whether the first node that differs is the one that the mutant changes.
    pub fn located(&self, mutant: &ModelMutant) -> bool {
        self.first.as_ref().is_some_and(|node| {
            (node.name.as_str(), node.occurrence, node.decode)
                == (mutant.node, mutant.occurrence, 0)
        })
    }

    /// Whether the diagnosis finds the mutant's fault on each level that differs.
    pub fn named(&self, mutant: &ModelMutant) -> bool {
        let declared = Some(mutant.fault());
        !self.causes.is_empty() && self.causes.iter().all(|cause| *cause == declared)
    }
}

/// All mutants of the forward pass with their measures.
pub struct ModelMutationMatrix {
    /// A row for each of [`MODEL_MUTANTS`].
    pub rows: Vec<(&'static ModelMutant, ModelCatches)>,
    /// Omitted comparisons.
    pub omitted: Vec<Omission>,
}

impl ModelMutationMatrix {
    /// Runs all mutants, grouped by model.
    ///
    /// # Errors
    ///
    /// [`SynthError`] if a model cannot be generated.
    pub fn measure(
        references: Vec<Reference>,
        seed: u64,
        progress: &Progress,
    ) -> Result<ModelMutationMatrix, SynthError> {
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
        let mut omitted: Vec<Omission> = outcomes
            .iter()
            .filter_map(|outcome| outcome.omitted.clone())
            .collect();
        omitted.dedup();
        let row =
            |mutant: &'static ModelMutant| (mutant, ModelCatches::of(&mutant.id(), &outcomes));
        Ok(ModelMutationMatrix {
            rows: MODEL_MUTANTS.iter().map(row).collect(),
            omitted,
        })
    }

    /// The mutants for which the diagnosis finds another fault or none on any level.
    pub fn misnamed(&self) -> Vec<&'static str> {
        let misnamed =
            |(mutant, catches): &&(&'static ModelMutant, ModelCatches)| !catches.named(mutant);
        self.rows
            .iter()
            .filter(misnamed)
            .map(|(mutant, _)| mutant.name)
            .collect()
    }

    /// The mutants that the gate did not detect or that were located elsewhere.
    pub fn survivors(&self) -> Vec<&'static str> {
        let survived = |(mutant, catches): &&(&'static ModelMutant, ModelCatches)| {
            !(catches.gate && catches.located(mutant))
        };
        self.rows
            .iter()
            .filter(survived)
            .map(|(mutant, _)| mutant.name)
            .collect()
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
