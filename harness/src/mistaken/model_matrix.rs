//! Which measure of a model catches which mistake, and where it is located.

use indicatif::ProgressBar;

use super::model::{MODEL_MISTAKES, ModelMistake};
use crate::cause::Fault;
use crate::decoding::{Decoding, default_tokens};
use crate::finding::NodeFinding;
use crate::ladder;
use crate::outcome::{Outcome, Rung};
use crate::shard::Shard;
use crate::side::{Reference, Sides};
use crate::synth::{self, SynthError, TemporaryModel};
use crate::task::Task;
use crate::verdict::Verdict;

/// What is seen of a mistake in running a model, by outcomes that are held to identity.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCatches {
    /// Cosine similarity of the logits.
    pub cosine: f64,
    /// Mean divergence of the distributions, in nats.
    pub kl_divergence: f64,
    /// Share of positions with the same likeliest token.
    pub top1_agree: f64,
    /// The first node that differs.
    pub first: Option<NodeFinding>,
    /// What is wrong, by the first finding of each rung.
    pub causes: Vec<Option<Fault>>,
    /// Whether the ladder says divergent.
    pub gate: bool,
}

impl ModelCatches {
    fn of(id: &str, outcomes: &[Outcome]) -> ModelCatches {
        let held: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.candidate == id && outcome.held_to_identity())
            .collect();
        let logits = held.iter().find(|outcome| outcome.logits.is_some());
        let said = logits.and_then(|outcome| outcome.logits.as_ref());
        let nodes = held.iter().filter(|outcome| outcome.rung == Rung::Node);
        let mut findings = nodes.flat_map(|outcome| &outcome.findings);
        ModelCatches {
            cosine: logits
                .and_then(|outcome| outcome.measures.cosine_similarity)
                .unwrap_or(1.0),
            kl_divergence: said.map_or(0.0, |logits| logits.measures.kl_divergence),
            top1_agree: said.map_or(1.0, |logits| logits.measures.top1_agree),
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

    /// Whether the first node that differs is the one that the mistake is in.
    pub fn located(&self, mistake: &ModelMistake) -> bool {
        self.first.as_ref().is_some_and(|node| {
            (node.name.as_str(), node.occurrence, node.decode)
                == (mistake.node, mistake.occurrence, 0)
        })
    }

    /// Whether the diagnosis says on each rung that differs that it is this mistake.
    pub fn named(&self, mistake: &ModelMistake) -> bool {
        let declared = Some(mistake.fault());
        !self.causes.is_empty() && self.causes.iter().all(|cause| *cause == declared)
    }
}

/// Every mistake in running a model, with what is seen of it.
pub struct ModelKillMatrix {
    /// A row for each of [`MODEL_MISTAKES`].
    pub rows: Vec<(&'static ModelMistake, ModelCatches)>,
    /// Why what was not compared was not.
    pub skipped: Vec<String>,
}

impl ModelKillMatrix {
    /// Runs all mistakes, those of one model together.
    ///
    /// # Errors
    ///
    /// [`SynthError`] if a model cannot be generated.
    pub fn measure(
        references: Vec<Reference>,
        seed: u64,
        progress: &ProgressBar,
    ) -> Result<ModelKillMatrix, SynthError> {
        let mut recipes: Vec<&str> = MODEL_MISTAKES.iter().map(|m| m.recipe).collect();
        recipes.sort_unstable();
        recipes.dedup();
        let mut sides = Sides {
            references,
            candidates: Vec::new(),
            engines: Vec::new(),
        };
        let mut outcomes = Vec::new();
        for recipe in recipes {
            let of_recipe = MODEL_MISTAKES.iter().filter(|m| m.recipe == recipe);
            sides.engines = of_recipe.map(ModelMistake::engine).collect();
            outcomes.extend(run(recipe, &sides, seed, progress)?);
        }
        let mut skipped: Vec<String> = outcomes
            .iter()
            .filter_map(|outcome| outcome.omitted.as_ref().map(ToString::to_string))
            .collect();
        skipped.dedup();
        let row =
            |mistake: &'static ModelMistake| (mistake, ModelCatches::of(&mistake.id(), &outcomes));
        Ok(ModelKillMatrix {
            rows: MODEL_MISTAKES.iter().map(row).collect(),
            skipped,
        })
    }

    /// The mistakes of which the diagnosis says anything but what they are, on any rung.
    pub fn misnamed(&self) -> Vec<&'static str> {
        let misnamed =
            |(mistake, catches): &&(&'static ModelMistake, ModelCatches)| !catches.named(mistake);
        self.rows
            .iter()
            .filter(misnamed)
            .map(|(mistake, _)| mistake.name)
            .collect()
    }

    /// The mistakes that the gate let pass, or that were found elsewhere than they are.
    pub fn survivors(&self) -> Vec<&'static str> {
        let survived = |(mistake, catches): &&(&'static ModelMistake, ModelCatches)| {
            !(catches.gate && catches.located(mistake))
        };
        self.rows
            .iter()
            .filter(survived)
            .map(|(mistake, _)| mistake.name)
            .collect()
    }
}

fn run(
    recipe: &str,
    sides: &Sides,
    seed: u64,
    progress: &ProgressBar,
) -> Result<Vec<Outcome>, SynthError> {
    let model = TemporaryModel::create(recipe)?;
    let tokens = default_tokens(synth::find(recipe)?.sizes.vocabulary as usize);
    let task = Task {
        model: format!("{recipe}.gguf"),
        tensors: Vec::new(),
        decoding: Ok(Decoding::new(model.path().into(), tokens, 1)),
        seed,
        shard: Shard::WHOLE,
        progress: progress.clone(),
    };
    let climb = ladder::climb(&Rung::OF_MODELS, sides, &task);
    let outcomes = climb.rungs.into_iter().flat_map(|report| report.outcomes);
    Ok(outcomes.collect())
}
