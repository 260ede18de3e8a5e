//! Checks a recipe before the model is generated.

use std::ops::RangeInclusive;

use half::f16;
use qk256::format::{Digit, FORMATS, Format, ScaleRule, Storage};

use super::distribution::Codes;
use super::error::{Problem, SynthError};
use super::recipe::{Bell, Dense, Matrix, Recipe, ScaleRange, Ternary};

/// Bounds of rows and columns. With them no product of sizes overflows 64 bits.
const MATRIX_DIM: RangeInclusive<u32> = 1..=1 << 18;
/// Bounds of the number of layers: `LLAMA_MAX_LAYERS` of llama.cpp.
const LAYERS: RangeInclusive<u32> = 1..=512;
const HEADS: RangeInclusive<u32> = 1..=1024;
const VOCABULARY: RangeInclusive<u32> = 1..=1 << 20;
const CONTEXT: RangeInclusive<u32> = 1..=1 << 24;
const ROPE_BASE: RangeInclusive<f32> = 1.0..=1e9;
/// Bounds of the divisors of rotary angles.
const ROPE_FACTOR: RangeInclusive<f32> = 1e-3..=1e3;
const RMS_EPSILON: RangeInclusive<f32> = 0.0..=1.0;
/// Bounds of means and spreads for which f16 holds all values, including far tails.
const BELL_MEAN: RangeInclusive<f32> = -1e3..=1e3;
const BELL_SPREAD: RangeInclusive<f32> = 0.0..=1e3;

/// The result of a check: the invalid field and the reason.
type Check = Result<(), (String, Problem)>;

/// The checked format and distribution of one kind of matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedTernary {
    pub(super) storage: Storage,
    pub(super) codes: Codes,
}

/// Checks everything except the ternary matrices, which [`ternary`] checks one by one.
pub(super) fn recipe(recipe: &Recipe) -> Result<(), SynthError> {
    let width = recipe.sizes.embedding;
    let checked = sizes(recipe)
        .and_then(|()| number("rope_base", recipe.rope_base, ROPE_BASE))
        .and_then(|()| number("rms_epsilon", recipe.rms_epsilon, RMS_EPSILON))
        .and_then(|()| dense("embedding", &recipe.embedding, width))
        .and_then(|()| {
            let output = recipe.output.as_ref();
            output.map_or(Ok(()), |output| dense("output", output, width))
        })
        .and_then(|()| matrices(recipe))
        .and_then(|()| {
            recipe.rope_factors.map_or(Ok(()), |range| {
                scale_range("rope_factors", range, ROPE_FACTOR)
            })
        })
        .and_then(|()| bell("norms", &recipe.norms))
        .and_then(|()| graph(recipe));
    checked.map_err(|(field, problem)| invalid(recipe, field, problem))
}

/// Checks `made_of`, the format and distribution of one kind of matrix.
///
/// Errors name the field where it is defined: in the override if it is there, otherwise under `[weights]`.
pub(super) fn ternary(
    recipe: &Recipe,
    matrix: Matrix,
    made_of: &Ternary,
) -> Result<CheckedTernary, SynthError> {
    let at = |field: &'static str, overridden: bool| {
        if overridden {
            format!("override.{}.{field}", matrix.name())
        } else {
            format!("weights.{field}")
        }
    };
    let over = recipe.overrides.get(&matrix).cloned().unwrap_or_default();
    let format_field = at("format", over.format.is_some());
    let shares_field = at("code_shares", over.code_shares.is_some());
    let scale_field = at("scale", over.scale.is_some());

    let checked = || {
        let storage =
            storage(recipe, matrix, made_of).map_err(|problem| (format_field, problem))?;
        let codes =
            codes(&storage, made_of.code_shares).map_err(|problem| (shares_field, problem))?;
        scale_range(
            &scale_field,
            made_of.scale,
            scale_bounds(storage.format().scale),
        )?;
        if let Some(range) = made_of.scale_tensors {
            scale_range(
                "weights.scale_tensors",
                range,
                scale_bounds(ScaleRule::Tensor),
            )?;
        }
        Ok(CheckedTernary { storage, codes })
    };
    checked().map_err(|(field, problem)| invalid(recipe, field, problem))
}

fn invalid(recipe: &Recipe, field: String, problem: Problem) -> SynthError {
    SynthError::Invalid {
        origin: recipe.origin.clone(),
        field,
        problem,
    }
}

fn sizes(recipe: &Recipe) -> Check {
    let sizes = &recipe.sizes;
    count("sizes.embedding", sizes.embedding, MATRIX_DIM)?;
    count("sizes.feed_forward", sizes.feed_forward, MATRIX_DIM)?;
    count("sizes.layers", sizes.layers, LAYERS)?;
    count("sizes.heads", sizes.heads, HEADS)?;
    count("sizes.kv_heads", sizes.kv_heads, HEADS)?;
    count("sizes.vocabulary", sizes.vocabulary, VOCABULARY)?;
    count("sizes.context", sizes.context, CONTEXT)?;
    divides(
        "sizes.heads",
        sizes.heads,
        sizes.embedding,
        "width of the embedding",
    )?;
    divides(
        "sizes.kv_heads",
        sizes.kv_heads,
        sizes.heads,
        "number of heads",
    )?;
    if !sizes.head().is_multiple_of(2) {
        return Err((
            "sizes.heads".into(),
            Problem::OddHead {
                found: sizes.head(),
            },
        ));
    }
    Ok(())
}

/// Refuses tensors that the architecture's graph does not read, because llama.cpp refuses such files.
fn graph(recipe: &Recipe) -> Check {
    let refuse = |field: &str, what| {
        let architecture = recipe.architecture.name();
        Err((field.to_owned(), Problem::NotInGraph { architecture, what }))
    };
    if recipe.architecture.is_bitnet() && recipe.output.is_some() {
        return refuse("output", "output matrix of its own");
    }
    if recipe.architecture.is_bitnet() && recipe.rope_factors.is_some() {
        return refuse("rope_factors", "divisors of rotary angles");
    }
    let scale_tensors = recipe
        .weights
        .as_ref()
        .and_then(|weights| weights.scale_tensors);
    if !recipe.architecture.is_bitnet() && scale_tensors.is_some() {
        return refuse("weights.scale_tensors", "scale tensors");
    }
    Ok(())
}

fn storage(recipe: &Recipe, matrix: Matrix, made_of: &Ternary) -> Result<Storage, Problem> {
    let format = Format::by_id(&made_of.format).ok_or_else(|| Problem::UnknownFormat {
        found: made_of.format.clone(),
        known: FORMATS.iter().map(|format| format.id).collect(),
    })?;
    let (rows, cols) = matrix.shape(&recipe.sizes);
    Storage::native(*format, rows, cols).map_err(|source| Problem::Shape {
        tensor: matrix.name(),
        rows,
        cols,
        source,
    })
}

fn codes(storage: &Storage, shares: [u32; 4]) -> Result<Codes, Problem> {
    let total: u64 = shares.iter().map(|&share| u64::from(share)).sum();
    let most = u64::from(Codes::MAX_SHARES);
    if !(1..=most).contains(&total) {
        return Err(Problem::Count {
            found: total,
            least: 1,
            most,
        });
    }
    if shares[3] > 0 && matches!(storage.slot(0, 0).digit, Digit::Trit { .. }) {
        return Err(Problem::Code {
            format: storage.format().id,
        });
    }
    Ok(Codes::new(shares))
}

/// Bounds of the scales that a format can store: normal f32, or f16 down to the smallest subnormal.
fn scale_bounds(rule: ScaleRule) -> RangeInclusive<f32> {
    match rule {
        ScaleRule::Tensor => f32::MIN_POSITIVE..=f32::MAX,
        ScaleRule::Block { .. } => f16::MIN_POSITIVE_SUBNORMAL.to_f32()..=f16::MAX.to_f32(),
    }
}

fn scale_range(field: &str, range: ScaleRange, bounds: RangeInclusive<f32>) -> Check {
    let ScaleRange(least, most) = range;
    number(field, least, bounds.clone())?;
    number(field, most, bounds)?;
    if least > most {
        return Err((field.to_owned(), Problem::Backwards { least, most }));
    }
    Ok(())
}

/// Checks that the layers have either ternary matrices or others.
fn matrices(recipe: &Recipe) -> Check {
    match (&recipe.weights, &recipe.dense) {
        (Some(_), None) => Ok(()),
        (None, Some(of_layers)) if recipe.overrides.is_empty() => {
            let mut all = Matrix::ALL.into_iter();
            all.try_for_each(|matrix| {
                let (_, cols) = matrix.shape(&recipe.sizes);
                dense("dense", of_layers, u32::try_from(cols).unwrap_or(u32::MAX))
            })
        }
        (None, None) => Err(("weights".into(), Problem::Matrices)),
        (_, Some(_)) => Err(("dense".into(), Problem::Matrices)),
    }
}

fn dense(field: &str, dense: &Dense, cols: u32) -> Check {
    let multiple = dense.element.block().weights;
    let found = cols as usize;
    if !found.is_multiple_of(multiple) {
        let field = format!("{field}.type");
        return Err((field, Problem::Blocks { found, multiple }));
    }
    number(&format!("{field}.spread"), dense.spread, BELL_SPREAD)
}

fn bell(field: &str, bell: &Bell) -> Check {
    number(&format!("{field}.mean"), bell.mean, BELL_MEAN)?;
    number(&format!("{field}.spread"), bell.spread, BELL_SPREAD)
}

fn count(field: &str, found: u32, bounds: RangeInclusive<u32>) -> Check {
    if bounds.contains(&found) {
        return Ok(());
    }
    let (least, most) = (u64::from(*bounds.start()), u64::from(*bounds.end()));
    Err((
        field.to_owned(),
        Problem::Count {
            found: found.into(),
            least,
            most,
        },
    ))
}

/// A NaN is in no range.
fn number(field: &str, found: f32, bounds: RangeInclusive<f32>) -> Check {
    if bounds.contains(&found) {
        return Ok(());
    }
    let (least, most) = (*bounds.start(), *bounds.end());
    Err((field.to_owned(), Problem::Number { found, least, most }))
}

fn divides(field: &str, found: u32, whole: u32, of: &'static str) -> Check {
    if whole.is_multiple_of(found) {
        return Ok(());
    }
    Err((field.to_owned(), Problem::NoDivisor { found, whole, of }))
}
