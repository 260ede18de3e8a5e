//! The known answers of models: whether an oracle that runs a model computes it.
//!
//! The answer is that of the forward pass in Rust on a small generated model. An oracle with another arithmetic differs
//! from it by rounding. One that leaves out the tensors of a type computes the logits of the model without them. So an
//! oracle's logits must be nearer to the right ones than those of the same model with all tensors of the type zeroed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::decoding::Decoding;
use crate::inference::{Engine, InferenceError};
use crate::model::Model;
use crate::participant::Forward;
use crate::participant::worker::{WorkerParams, Workers};
use crate::progress::Progress;
use crate::synth::{self, SynthError, TemporaryModel};

/// Start of the names of the recipes, before the name of the type.
const RECIPES: &str = "tiny-llama-";

/// Tokens of the check. They are in the vocabulary of every recipe.
const TOKENS: [u32; 5] = [1, 7, 2, 9, 4];

/// The outcome for one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The oracle computes its models.
    Right,
    /// The oracle refuses its models, with the reason.
    NotOpened(String),
    /// The oracle runs its models without computing them, or dies of them.
    Wrong(String),
}

/// Checks a model with tensors of the type `format`, in a worker process. None if no recipe has the type, or if the one
/// that has it needs types that are not in `types`, those that the oracle has.
///
/// # Errors
///
/// [`SynthError`] if the model cannot be generated.
pub fn check(
    oracle: &str,
    format: &str,
    types: &[String],
    workers: &WorkerParams,
    progress: &Progress,
) -> Result<Option<Answer>, SynthError> {
    let recipe = format!("{RECIPES}{}", format.to_lowercase());
    if synth::embedded().iter().all(|(name, _)| *name != recipe) {
        return Ok(None);
    }
    let model = TemporaryModel::create(&recipe, progress)?;
    let needed = Model::open(model.path()).expect("the model was just written");
    let has = |name: String| types.iter().any(|known| known.eq_ignore_ascii_case(&name));
    if !needed
        .gguf()
        .tensors()
        .all(|tensor| has(tensor.ggml_type().to_string()))
    {
        return Ok(None);
    }
    let of_rust = |path: &Path| logits(&Forward::new(Vec::new()), path);
    let rust = "the forward pass in Rust runs the recipes";
    let right = of_rust(model.path()).expect(rust);
    let zeroed = write_zeroed(model.path(), format)?;
    let without = of_rust(&zeroed).expect(rust);
    Ok(Some(judge(
        logits(&Workers::new(oracle, workers.clone()), model.path()),
        &right,
        &without,
    )))
}

fn judge(answer: Result<Vec<f32>, InferenceError>, right: &[f32], without: &[f32]) -> Answer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(lost @ InferenceError::Lost { .. }) => return Answer::Wrong(lost.to_string()),
        Err(refused) => return Answer::NotOpened(refused.to_string()),
    };
    if answer.len() != right.len() {
        let (got, must) = (answer.len(), right.len());
        return Answer::Wrong(format!("a model gave {got} logits, must be {must}"));
    }
    if distance(&answer, right) < distance(without, right) {
        return Answer::Right;
    }
    Answer::Wrong(
        "a model with this type runs, but its logits are as far from the right ones as those of the model without its \
         tensors: the type is not computed"
            .into(),
    )
}

/// Sum of the squared differences. It is infinite if a value is not finite.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    let sum: f64 = a.iter().zip(b).map(square).sum();
    if sum.is_finite() { sum } else { f64::INFINITY }
}

/// The logits of [`TOKENS`], prefilled and then one at a time.
fn logits(engine: &dyn Engine, model: &Path) -> Result<Vec<f32>, InferenceError> {
    Decoding::new(model.to_owned(), TOKENS.to_vec(), 1).logits(engine)
}

/// Writes a copy of a model beside it in which all tensors of a type are zero bytes. Every type has the value zero for
/// them, because the scales are zero.
fn write_zeroed(path: &Path, format: &str) -> Result<PathBuf, SynthError> {
    let model = Model::open(path).expect("the model was just written");
    let gguf = model.gguf();
    let mut bytes = gguf.bytes().to_vec();
    for tensor in gguf.tensors() {
        if tensor.ggml_type().to_string().eq_ignore_ascii_case(format) {
            bytes[tensor.span()].fill(0);
        }
    }
    let zeroed = path.with_extension("zeroed.gguf");
    fs::write(&zeroed, bytes).map_err(SynthError::Temporary)?;
    Ok(zeroed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_computed_models_are_right() {
        let (right, without) = (vec![1.0, 2.0, 3.0], vec![0.5, 2.5, 3.0]);
        let judge = |answer: &[f32]| judge(Ok(answer.to_vec()), &right, &without);
        assert_eq!(judge(&[1.0, 2.0, 3.0]), Answer::Right);
        assert_eq!(judge(&[1.01, 2.0, 2.99]), Answer::Right);
        for wrong in [&without[..], &[0.0; 3], &[f32::NAN; 3], &[9.0, 9.0, 9.0]] {
            assert!(matches!(judge(wrong), Answer::Wrong(_)), "{wrong:?}");
        }
        let short = judge(&[1.0]);
        assert_eq!(
            short,
            Answer::Wrong("a model gave 1 logits, must be 3".into())
        );
    }

    #[test]
    fn every_ternary_type_changes_the_logits_of_its_model() {
        for format in ["i2_s", "tq2_0", "tq1_0", "q6_K"] {
            let recipe = format!("{RECIPES}{}", format.to_lowercase());
            let model = TemporaryModel::create(&recipe, &Progress::silent()).unwrap();
            let rust = Forward::new(Vec::new());
            let right = logits(&rust, model.path()).unwrap();
            let without = logits(&rust, &write_zeroed(model.path(), format).unwrap()).unwrap();
            assert!(distance(&without, &right) > 0.0, "{format}");
        }
    }
}
