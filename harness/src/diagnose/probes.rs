//! The probes: cases in which every kind of fault affects at least a few results.
//!
//! Activations of products are integers with the largest magnitude 127 in every block, and scales are powers of two, so
//! right results are exact.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use qk256::format::{QK256, StorageVariant};

use super::subject::Subject;
use super::work::{Question, Work};
use crate::case::{Case, Input};
use crate::probe::Random;

/// Number of activation rows in a batch with an even and an odd part.
const BATCH: usize = 5;

/// Batch sizes: those that kernels multiply row by row, and those for which they decode weights beforehand.
const BATCHES: [usize; 5] = [1, 2, 3, 4, 16];

/// Number of rows: several that kernels decode together, and a remainder.
const SOME_ROWS: usize = 20;

/// Number of rows: more than two tiles of 128, more than a block of columns, and a multiple of the panel size.
const MANY_ROWS: usize = 300;

/// Number of columns that overflows accumulators of 16 bits if all terms have one sign.
const MANY_COLS: usize = 4352;

/// Variants and row lengths that end inside a block, shorter and longer than one.
const TAILS: [(StorageVariant, usize); 4] = [
    (StorageVariant::Qk256, 384),
    (StorageVariant::Qk256, 640),
    (StorageVariant::PaddedRows, 300),
    (StorageVariant::PaddedRows, 1000),
];

/// The shape of a case.
#[derive(Clone, Copy)]
struct Shape {
    variant: StorageVariant,
    rows: usize,
    cols: usize,
    batch: usize,
}

/// The cases of a format for implementations that support the same shapes.
type Probes = BTreeMap<(&'static str, Vec<bool>), Arc<Vec<Arc<Question>>>>;

/// A cache of the probes, because their right results are the same for every implementation.
static CACHE: Mutex<Probes> = Mutex::new(BTreeMap::new());

/// Runs all cases that the implementation supports.
pub(super) fn run(subject: &Subject<'_>) -> Vec<Work> {
    let shapes = shapes(subject);
    let serves = |shape: &Shape| subject.serves(shape.variant, shape.rows, shape.cols);
    let served: Vec<bool> = shapes.iter().map(serves).collect();
    let mut probes = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let questions = probes
        .entry((subject.format.id, served.clone()))
        .or_insert_with(|| {
            let shapes = shapes.into_iter().zip(served);
            let served = shapes.filter(|(_, served)| *served).map(|(shape, _)| shape);
            let cases = cases(subject, served.collect());
            let questions = cases.into_iter().filter_map(Question::new);
            Arc::new(questions.map(Arc::new).collect())
        });
    let questions = Arc::clone(questions);
    drop(probes);
    let answer = |question: &Arc<Question>| Work::of(subject.implementation, Arc::clone(question));
    questions.iter().filter_map(answer).collect()
}

fn native(subject: &Subject<'_>, rows: usize, cols: usize, batch: usize) -> Shape {
    Shape {
        variant: subject.format.native_variant(),
        rows,
        cols,
        batch,
    }
}

/// Shapes that an implementation may not support.
fn shapes(subject: &Subject<'_>) -> Vec<Shape> {
    let few = 2 * subject.panel();
    let tails = TAILS.iter().flat_map(|&(variant, cols)| {
        [2, BATCH].map(|batch| Shape {
            variant,
            ..native(subject, few, cols, batch)
        })
    });
    let batches = BATCHES.map(|batch| native(subject, SOME_ROWS, 3 * QK256, batch));
    batches.into_iter().chain(tails).collect()
}

/// The cases for an implementation that supports these shapes.
fn cases(subject: &Subject<'_>, served: Vec<Shape>) -> Vec<Case> {
    let mut random = Random::new(1, "probes");
    let native = |rows, cols, batch| native(subject, rows, cols, batch);
    let mut cases = Vec::new();
    for shape in served {
        cases.push(dots(subject, shape, &mut random));
        cases.push(products(subject, shape, &mut random));
    }
    let panel = subject.panel();
    cases.push(not_finite(subject, native(panel, QK256, 1), &mut random));
    cases.push(lowest(subject, native(panel, 2 * QK256, 2), &mut random));
    cases.extend(longest(subject));
    cases.push(dots(subject, native(MANY_ROWS, QK256, BATCH), &mut random));
    for threads in 1..=3 {
        let case = products(subject, native(MANY_ROWS, QK256, BATCH), &mut random);
        cases.push(Case { threads, ..case });
    }
    cases
}

/// A case with all storable codes.
fn with(subject: &Subject<'_>, shape: Shape, input: Input, random: &mut Random) -> Case {
    let Shape {
        variant,
        rows,
        cols,
        ..
    } = shape;
    let kinds = usize::from(subject.storable_codes());
    let codes = (0..rows * cols)
        .map(|_| random.below(kinds) as u8)
        .collect();
    subject.case_in(variant, rows, cols, codes, input)
}

fn dots(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let n = shape.batch * shape.cols;
    let activations = (0..n).map(|_| random.code().max(-127)).collect();
    with(subject, shape, Input::Codes(activations), random)
}

/// A case of products. With three activation rows or more, the second one is zero.
fn products(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let mut value = |i: usize| match (i / shape.cols, i % shape.cols % QK256) {
        (1, _) if shape.batch > 2 => 0.0,
        (_, 0) => 127.0,
        _ => random.below(255) as f32 - 127.0,
    };
    let values = (0..shape.batch * shape.cols).map(&mut value).collect();
    let mut case = with(subject, shape, Input::Values(values), random);
    for scale in &mut case.scales {
        *scale = [0.25, 0.5, 2.0, 4.0][random.below(4)];
    }
    case
}

/// A case of products that must be refused.
fn not_finite(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let mut case = products(subject, shape, random);
    if let Input::Values(values) = &mut case.input {
        values[QK256 / 2] = f32::NAN;
    }
    case
}

/// A case of dots in which every third activation is the lowest value.
fn lowest(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let mut case = dots(subject, shape, random);
    if let Input::Codes(activations) = &mut case.input {
        activations.iter_mut().step_by(3).for_each(|a| *a = -128);
    }
    case
}

/// The largest possible dot and product with codes that quantizers write.
fn longest(subject: &Subject<'_>) -> [Case; 2] {
    let rows = subject.panel();
    let inputs = [
        Input::Codes(vec![127; MANY_COLS]),
        Input::Values(vec![127.0; MANY_COLS]),
    ];
    inputs.map(|input| subject.case(rows, MANY_COLS, vec![2; rows * MANY_COLS], input))
}

#[cfg(test)]
mod tests {
    use qk256::format::TQ2_0;

    use super::*;
    use crate::mutant::{Evaluator, Hooks};

    #[test]
    fn right_results_are_computed_once_for_all_implementations() {
        let participants = ["one", "another"].map(|id| Evaluator::new(id, &TQ2_0, Hooks::RIGHT));
        let [one, another] = participants.each_ref().map(|implementation| {
            let format = &TQ2_0;
            run(&Subject {
                implementation,
                format,
            })
        });
        assert!(!one.is_empty() && one.len() == another.len());
        for (one, another) in one.iter().zip(&another) {
            assert!(std::ptr::eq::<Question>(&**one, &**another));
        }
    }
}
