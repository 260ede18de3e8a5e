//! Wrong scales: off by a factor, not applied, or read from another place.

use half::f16;
use qk256::format::{QK256, ScaleRule, Weights};

use super::super::hypothesis::{Hypothesis, Score};
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::{Fault, six_digits};
use crate::probe::Random;
use crate::tolerance::PREDICTION;

/// Scales to try.
const SCALES: [f32; 4] = [0.25, 0.5, 2.0, 8.0];

/// Largest distance in bytes at which a displaced scale is searched.
const REACH: i64 = 64;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    constant(subject)
        .or_else(|| displaced(subject))
        .into_iter()
        .collect()
}

/// The products of a weight of value 1 under several scales show how the scale is applied.
fn constant(subject: &Subject<'_>) -> Option<Hypothesis> {
    let mut activations = vec![0.0; 2 * QK256];
    activations[0] = 127.0;
    let weight = |scale: f32| {
        let mut case = subject.constant(2, Input::Values(activations.clone()));
        case.scales.fill(scale);
        Some(subject.first(case)? / 127.0 / f64::from(subject.format.codebook.value(2)))
    };
    let weights: Vec<f64> = SCALES.into_iter().map(weight).collect::<Option<_>>()?;
    let tried = || {
        SCALES
            .into_iter()
            .map(f64::from)
            .zip(weights.iter().copied())
    };
    let all = |of: &dyn Fn(f64) -> f64| {
        tried().all(|(scale, weight)| (weight - of(scale)).abs() <= PREDICTION * of(scale).abs())
    };
    let ratio = weights[0] / f64::from(SCALES[0]);
    if all(&|scale| scale) || ratio == 0.0 || !ratio.is_finite() {
        return None;
    }
    let scaled = |fault, scale: fn(f64) -> f64| {
        let scale = move |weights: &Weights<'_>, index| scale(f64::from(weights.scale(index)));
        Some(by_scale(subject, fault, scale))
    };
    if all(&|_| 1.0) {
        scaled(Fault::ScaleMissing {}, |_| 1.0)
    } else if all(&f64::recip) {
        scaled(Fault::ScaleInverted {}, f64::recip)
    } else if all(&|scale| ratio * scale) {
        let fault = Fault::ScaleRatio {
            ratio: six_digits(ratio),
        };
        let scale = move |weights: &Weights<'_>, index| ratio * f64::from(weights.scale(index));
        Some(by_scale(subject, fault, scale))
    } else {
        None
    }
}

/// The nearest place around the scale that explains all products of a case.
fn displaced(subject: &Subject<'_>) -> Option<Hypothesis> {
    let work = subject.answer(distinct_case(subject))?;
    let offsets = (1..=REACH).flat_map(|bytes| [-bytes, bytes]);
    offsets
        .map(|bytes| {
            let fault = Fault::ScaleDisplaced { bytes };
            by_scale(subject, fault, move |weights, index| {
                scale_at(weights, index, bytes).unwrap_or(f64::NAN)
            })
        })
        .find(|hypothesis| hypothesis.score(&work).is_some_and(is_whole))
}

fn is_whole(score: Score) -> bool {
    score.wrong > 0 && score.explained == score.wrong
}

/// A case of products whose bytes identify their position.
fn distinct_case(subject: &Subject<'_>) -> crate::case::Case {
    let mut random = Random::new(1, "scale");
    let (rows, cols) = (4, 2 * QK256);
    let kinds = usize::from(subject.storable_codes());
    let codes = (0..rows * cols)
        .map(|_| random.below(kinds) as u8)
        .collect();
    let values = (0..cols)
        .map(|_| random.below(255) as f32 - 127.0)
        .collect();
    let mut case = subject.case(rows, cols, codes, Input::Values(values));
    for scale in &mut case.scales {
        *scale = SCALES[random.below(SCALES.len())];
    }
    case
}

fn by_scale(
    subject: &Subject<'_>,
    fault: Fault,
    scale: impl Fn(&Weights<'_>, usize) -> f64 + Send + Sync + 'static,
) -> Hypothesis {
    let right = Steps::right(subject.format);
    let scale = Box::new(scale);
    Hypothesis::by_steps(fault, Steps { scale, ..right })
}

/// The bytes at a distance of `bytes` from a scale, read as a scale. If the tensor contains no scale, the scale itself.
fn scale_at(weights: &Weights<'_>, index: usize, bytes: i64) -> Option<f64> {
    let storage = weights.storage();
    let Some(first) = storage.scale_offset() else {
        return Some(f64::from(weights.scale(index)));
    };
    let (right, width) = match storage.format().scale {
        ScaleRule::Tensor => (first, 4),
        ScaleRule::Block { .. } => (first + index * storage.unit_bytes(), 2),
    };
    let at = usize::try_from(i64::try_from(right).ok()? + bytes).ok()?;
    let found = weights.bytes().get(at..)?.get(..width)?;
    Some(match *found {
        [a, b] => f16::from_le_bytes([a, b]).to_f64(),
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => return None,
    })
}
