//! The exam: cases that show every kind of fault, each in a few results at least.
//!
//! Activations of products are integers whose largest magnitude is 127 in every block, and scales are powers of two, so
//! that right results have no rounding.

use qk256::format::{Flavour, QK256};

use super::subject::Subject;
use super::work::Work;
use crate::case::{Case, Input};
use crate::probe::Random;

/// Activation rows of a batch that has an even and an odd part.
const BATCH: usize = 5;

/// Batches: those that kernels multiply row by row, and those for which they decode weights beforehand.
const BATCHES: [usize; 5] = [1, 2, 3, 4, 16];

/// Rows: what kernels decode together, and a rest.
const SOME_ROWS: usize = 20;

/// Rows: more than two tiles of 128, more than a block of columns, and a whole number of panels.
const MANY_ROWS: usize = 300;

/// Columns: beyond what accumulators of 16 bits hold, if all their terms have one sign.
const MANY_COLS: usize = 4352;

/// Rows shorter and longer than a block that end inside one.
const TAILS: [(Flavour, usize); 4] = [
    (Flavour::Qk256, 384),
    (Flavour::Qk256, 640),
    (Flavour::PaddedRows, 300),
    (Flavour::PaddedRows, 1000),
];

/// The shape of a case.
#[derive(Clone, Copy)]
struct Shape {
    flavour: Flavour,
    rows: usize,
    cols: usize,
    batch: usize,
}

/// What the side answers to all cases that it serves.
pub(super) fn sit(subject: &Subject<'_>) -> Vec<Work> {
    let mut random = Random::new(1, "exam");
    let native = |rows, cols, batch| Shape {
        flavour: subject.format.native_flavour(),
        rows,
        cols,
        batch,
    };
    let few = 2 * subject.panel();
    let tails = TAILS.iter().flat_map(|&(flavour, cols)| {
        [2, BATCH].map(|batch| Shape {
            flavour,
            ..native(few, cols, batch)
        })
    });
    let served = |shape: &Shape| subject.serves(shape.flavour, shape.rows, shape.cols);
    let mut cases = Vec::new();
    let batches = BATCHES.map(|batch| native(SOME_ROWS, 3 * QK256, batch));
    let shapes = batches.into_iter().chain(tails);
    for shape in shapes.filter(served) {
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
        .into_iter()
        .filter_map(|case| subject.answer(case))
        .collect()
}

/// A case with all codes that can be stored.
fn with(subject: &Subject<'_>, shape: Shape, input: Input, random: &mut Random) -> Case {
    let Shape {
        flavour,
        rows,
        cols,
        ..
    } = shape;
    let kinds = usize::from(subject.storable_codes());
    let codes = (0..rows * cols)
        .map(|_| random.below(kinds) as u8)
        .collect();
    subject.case_in(flavour, rows, cols, codes, input)
}

fn dots(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let n = shape.batch * shape.cols;
    let activations = (0..n).map(|_| random.code().max(-127)).collect();
    with(subject, shape, Input::Codes(activations), random)
}

/// Products; of three activation rows or more the second one is zero.
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

/// Products that have to be refused.
fn not_finite(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let mut case = products(subject, shape, random);
    if let Input::Values(values) = &mut case.input {
        values[QK256 / 2] = f32::NAN;
    }
    case
}

/// Dots with every third activation as low as it can be.
fn lowest(subject: &Subject<'_>, shape: Shape, random: &mut Random) -> Case {
    let mut case = dots(subject, shape, random);
    if let Input::Codes(activations) = &mut case.input {
        activations.iter_mut().step_by(3).for_each(|a| *a = -128);
    }
    case
}

/// A dot and a product as large as they can be, with codes that quantizers write.
fn longest(subject: &Subject<'_>) -> [Case; 2] {
    let rows = subject.panel();
    let inputs = [
        Input::Codes(vec![127; MANY_COLS]),
        Input::Values(vec![127.0; MANY_COLS]),
    ];
    inputs.map(|input| subject.case(rows, MANY_COLS, vec![2; rows * MANY_COLS], input))
}
