//! Rung 3: does a whole tensor times a vector or a matrix agree?
//!
//! Every ternary tensor of the model is multiplied with seeded activations: one row on one thread, and small batches
//! with a row of zeros and a row of outliers on two. Products must have the reference's very bits; against a
//! second build of the reference they may be as far off as the builds are from each other. Activations that are not
//! finite have to be refused.
//!
//! A candidate that reads the tensor's layout gets the bytes of the file. One that reads another layout gets the same
//! codes packed in its own, and, like one that works weight by weight, an excerpt of tensors that are large.

use std::borrow::Cow;
use std::cell::LazyCell;

use qk256::format::{Format, ScaleRule, ShapeError, Storage, Weights, pack};

use super::refusal;
use crate::case::{Case, Input};
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, SideError};
use crate::interrupt;
use crate::model::TernaryTensor;
use crate::outcome::{Omission, Outcome, Rung, Tally};
use crate::probe::Random;
use crate::side::{Arbiter, Candidate, Reference, Sides, reference_format};
use crate::task::Task;

/// Weights of an excerpt, roughly.
const EXCERPT_WEIGHTS: usize = 1 << 18;

/// Rows that an excerpt takes together: a panel of every layout.
const EXCERPT_ROWS: usize = 4;

/// Batch and threads of each product: too few activation rows for a tile, and a tile of them with some left over.
const RUNS: [(usize, usize); 3] = [(1, 1), (3, 2), (6, 2)];

pub(super) fn steps(task: &Task<'_>) -> u64 {
    task.shard.part(&task.tensors).count() as u64
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let mut total = tallies(sides);
    // One tensor after the other: oracles spin while their threads wait for each other.
    for tensor in task.shard.part(&task.tensors) {
        if interrupt::asked() {
            break;
        }
        let of_tensor = climb_tensor(tensor, sides, task);
        for (total, tally) in total
            .iter_mut()
            .flatten()
            .zip(of_tensor.into_iter().flatten())
        {
            total.absorb(tally);
        }
        task.progress.inc(1);
    }
    for (candidate, tallies) in task.shard.part(sides.candidates.iter().zip(&mut total)) {
        let is_of = |tensor: &TernaryTensor<'_>| {
            reference_format(tensor.weights.format()) == reference_format(candidate.format)
        };
        if task.tensors.iter().any(is_of) {
            refusal::climb(candidate.side.as_ref(), candidate.format, tallies, task);
        }
    }
    // A candidate whose type the model does not have was not asked; that is no skip.
    let asked = total
        .into_iter()
        .flatten()
        .filter(|tally| !tally.is_untouched());
    asked.map(Tally::finish).collect()
}

/// For each candidate a tally with each reference that it is compared with.
fn tallies(sides: &Sides) -> Vec<Vec<Tally>> {
    let of = |candidate: &Candidate| {
        let side = candidate.side.as_ref();
        let tally =
            |r: &Reference| Tally::of_kernel(Rung::Tensor, candidate.format, side, r.side.id());
        sides
            .references
            .iter()
            .filter(|reference| reference.compared)
            .map(tally)
            .collect()
    };
    sides.candidates.iter().map(of).collect()
}

fn climb_tensor(tensor: &TernaryTensor<'_>, sides: &Sides, task: &Task<'_>) -> Vec<Vec<Tally>> {
    let weights = &tensor.weights;
    let format = weights.format();
    let whole = LazyCell::new(|| {
        let matrix = Matrix {
            storage: *weights.storage(),
            bytes: Cow::Borrowed(weights.bytes()),
        };
        Work::new(
            tensor.name,
            (0..weights.rows()).collect(),
            matrix,
            sides,
            task,
        )
    });
    let excerpt = LazyCell::new(|| {
        let excerpt = Excerpt::of(weights);
        let work = excerpt
            .pack(format)
            .map(|matrix| Work::new(tensor.name, excerpt.rows.clone(), matrix, sides, task));
        (excerpt, work)
    });
    let mut tallies = tallies(sides);
    for (candidate, tallies) in sides.candidates.iter().zip(&mut tallies) {
        if reference_format(candidate.format) != reference_format(format) {
            continue;
        }
        if candidate.format == format && !(candidate.slow && Excerpt::is_shorter_than(weights)) {
            whole.compare(candidate, &whole.matrix, sides, tallies);
            continue;
        }
        let (excerpt, work) = &*excerpt;
        match (work, &excerpt.pack(candidate.format)) {
            (Ok(work), Ok(matrix)) => work.compare(candidate, matrix, sides, tallies),
            (Err(error), _) | (_, Err(error)) => {
                tallies
                    .iter_mut()
                    .for_each(|tally| tally.omit(Omission::unsupported(error.to_string())));
            }
        }
    }
    tallies
}

/// Rows of a tensor, as some side reads them.
struct Matrix<'a> {
    storage: Storage,
    bytes: Cow<'a, [u8]>,
}

impl Matrix<'_> {
    fn weights(&self) -> Weights<'_> {
        Weights::new(self.storage, &self.bytes)
            .expect("the bytes were taken or packed for this storage")
    }
}

/// Codes and scales of some rows of a tensor.
struct Excerpt<'a> {
    source: &'a Weights<'a>,
    rows: Vec<usize>,
    codes: Vec<u8>,
    scales: Vec<f32>,
}

impl<'a> Excerpt<'a> {
    fn is_shorter_than(weights: &Weights<'_>) -> bool {
        weights.rows() * weights.cols() > EXCERPT_WEIGHTS
    }

    /// All rows, or panels of rows evenly spread from the first to the last.
    fn of(source: &'a Weights<'a>) -> Excerpt<'a> {
        let cols = source.cols();
        let rows: Vec<usize> = if Excerpt::is_shorter_than(source) {
            let panels = source.rows() / EXCERPT_ROWS;
            let taken = (EXCERPT_WEIGHTS / (EXCERPT_ROWS * cols)).clamp(1, panels.max(1));
            (0..taken)
                .map(|i| i * panels.saturating_sub(1) / (taken - 1).max(1))
                .flat_map(|panel| panel * EXCERPT_ROWS..(panel + 1) * EXCERPT_ROWS)
                .filter(|&row| row < source.rows())
                .collect()
        } else {
            (0..source.rows()).collect()
        };
        let code = |&row: &usize| (0..cols).map(move |col| source.code(row, col));
        let codes = rows.iter().flat_map(code).collect();
        let per_row = match source.format().scale {
            ScaleRule::Tensor => None,
            ScaleRule::Block { weights } => Some(cols.div_ceil(weights)),
        };
        let scales = match per_row {
            None => vec![source.scale(0)],
            Some(n) => {
                let of_row = |&row: &usize| (0..n).map(move |i| source.scale(row * n + i));
                rows.iter().flat_map(of_row).collect()
            }
        };
        Excerpt {
            source,
            rows,
            codes,
            scales,
        }
    }

    /// The excerpt in a format with the same codes and scales.
    fn pack(&self, format: &Format) -> Result<Matrix<'static>, ShapeError> {
        let flavour = self.source.storage().flavour();
        let storage = Storage::new(*format, flavour, self.rows.len(), self.source.cols())?;
        let bytes = Cow::Owned(pack(&storage, &self.codes, &self.scales)?);
        Ok(Matrix { storage, bytes })
    }
}

/// A matrix with what every reference makes of it.
struct Work<'a> {
    name: &'a str,
    /// Row numbers in the tensor.
    rows: Vec<usize>,
    /// As the references read it.
    matrix: Matrix<'a>,
    runs: Vec<Run>,
    reproduce: String,
}

struct Run {
    batch: usize,
    threads: usize,
    activations: Vec<f32>,
    /// The products of each reference.
    expected: Vec<Result<Vec<f32>, SideError>>,
}

impl<'a> Work<'a> {
    fn new(
        name: &'a str,
        rows: Vec<usize>,
        matrix: Matrix<'a>,
        sides: &Sides,
        task: &Task<'_>,
    ) -> Work<'a> {
        let run = |&(batch, threads): &(usize, usize)| {
            let activations = activations(name, batch, matrix.storage.cols(), task.seed);
            let product = |r: &Reference| products(r.side.as_ref(), &matrix, &activations, threads);
            let expected = sides.references.iter().map(product).collect();
            Run {
                batch,
                threads,
                activations,
                expected,
            }
        };
        let runs = RUNS.iter().map(run).collect();
        let reproduce = task.command(&format!("--rung tensor --seed {}", task.seed));
        Work {
            name,
            rows,
            matrix,
            runs,
            reproduce,
        }
    }

    /// Runs the candidate on `matrix`, the same weights in its own format.
    fn compare(
        &self,
        candidate: &Candidate,
        matrix: &Matrix<'_>,
        sides: &Sides,
        tallies: &mut [Tally],
    ) {
        for run in &self.runs {
            let actual = products(
                candidate.side.as_ref(),
                matrix,
                &run.activations,
                run.threads,
            );
            let compared = sides.references.iter().zip(&run.expected).enumerate();
            let compared = compared.filter(|(_, (reference, _))| reference.compared);
            for ((index, (_, expected)), tally) in compared.zip(tallies.iter_mut()) {
                // Against another build than the first there is no verdict without the distance of both.
                let first = if index > 0 {
                    &run.expected[0]
                } else {
                    expected
                };
                if let (Ok(expected), Ok(actual), Ok(first)) = (expected, &actual, first) {
                    self.note(run, matrix, expected, actual, tally);
                    if index > 0 {
                        tally.floor.get_or_insert_default().add(first, expected);
                    }
                    continue;
                }
                let errors = [
                    expected.as_ref().err(),
                    actual.as_ref().err(),
                    first.as_ref().err(),
                ];
                for (i, error) in errors.iter().flatten().enumerate() {
                    if errors.iter().flatten().position(|other| other == error) == Some(i) {
                        tally.refuse(error, self.name, &self.reproduce);
                    }
                }
            }
        }
    }

    fn note(
        &self,
        run: &Run,
        matrix: &Matrix<'_>,
        expected: &[f32],
        actual: &[f32],
        tally: &mut Tally,
    ) {
        tally.meter.add(expected, actual);
        let differs = |&i: &usize| actual[i].to_bits() != expected[i].to_bits();
        let Some(i) = (0..actual.len())
            .find(differs)
            .filter(|_| tally.wants_finding())
        else {
            return;
        };
        let (rows, cols) = (self.matrix.storage.rows(), self.matrix.storage.cols());
        let (batch, row) = (i / rows, i % rows);
        let activations = &run.activations[batch * cols..][..cols];
        let judged = Arbiter.judge_product(
            &self.matrix.weights(),
            row,
            activations,
            expected[i],
            actual[i],
        );
        tally.find(Finding {
            subject: format!(
                "{}, batch {}, threads {}",
                self.name, run.batch, run.threads
            ),
            place: format!("row {}, activation row {batch}", self.rows[row]),
            expected: Observed::from(expected[i]),
            actual: Observed::from(actual[i]),
            truth: Some(judged.truth).filter(|truth| truth.is_finite()),
            blame: judged.blame,
            node: None,
            cause: None,
            input: None,
            case: case(&matrix.weights(), row, run),
            reproduce: self.reproduce.clone(),
        });
    }
}

/// The rows up to the one that differs, or, where these are many weights, its panel alone.
fn case(weights: &Weights<'_>, row: usize, run: &Run) -> Option<Case> {
    let panel_rows = weights.storage().layout().panel_rows();
    let start = row / panel_rows * panel_rows;
    let end = start + panel_rows;
    let rows = if end * weights.cols() > EXCERPT_WEIGHTS {
        start..end
    } else {
        0..end
    };
    let case = Case::of_rows(weights, rows, Input::Values(run.activations.clone()))?;
    let threads = run.threads;
    Some(Case { threads, ..case })
}

fn products(
    side: &dyn Implementation,
    matrix: &Matrix<'_>,
    activations: &[f32],
    threads: usize,
) -> Result<Vec<f32>, SideError> {
    side.defined_on(&matrix.storage)?;
    let batch = activations.len() / matrix.storage.cols();
    let mut out = vec![0.0; batch * matrix.storage.rows()];
    side.products(&matrix.weights(), activations, threads, &mut out)?;
    Ok(out)
}

/// `batch x cols` activations: rows around zero, the second row all zero, the third with outliers.
fn activations(name: &str, batch: usize, cols: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, name);
    (0..batch * cols)
        .map(|i| match (i / cols, i % cols) {
            (1, _) => 0.0,
            (2, col) if col % 97 == 0 => 40.0 * random.bell(),
            _ => random.bell(),
        })
        .collect()
}
