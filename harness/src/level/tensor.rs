//! Level `tensor`: compares products of whole tensors with vectors and matrices.
//!
//! Every ternary tensor of the model is multiplied with seeded activations: one row on one thread, and small batches on
//! two threads, with a row of zeros and a row of outliers. Products must have the oracle's bits. Against a second build
//! of the oracle they may differ by the noise floor. Activations that are not finite must be refused.
//!
//! A candidate with the tensor's layout gets the bytes of the file. A candidate with another layout gets the same codes
//! packed in its own layout. For these, and for implementations that work weight by weight, large tensors are reduced
//! to an excerpt.

use std::borrow::Cow;
use std::cell::LazyCell;

use qk256::format::{Format, ScaleRule, ShapeError, Storage, Weights, pack};

use super::invariance::{self, ITSELF, Variant};
use super::refusal;
use crate::case::{Case, Input};
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, ImplementationError};
use crate::interrupt;
use crate::levels::Level;
use crate::model::TernaryTensor;
use crate::outcome::{Omission, Outcome, PairAccumulator};
use crate::participant::{Candidate, Participants, Reference, ReferenceModel, reference_format};
use crate::probe::Random;
use crate::rerun::Rerun;
use crate::task::Task;
use crate::verdict::Attribution;

/// Approximate number of weights in an excerpt.
const EXCERPT_WEIGHTS: usize = 1 << 18;

/// Number of adjacent rows in an excerpt: a panel of every layout.
const EXCERPT_ROWS: usize = 4;

/// Batch and threads of each product. The batches are smaller than a tile of activation rows, and a tile with a
/// remainder.
const RUNS: [(usize, usize); 3] = [(1, 1), (3, 2), (6, 2)];

pub(super) fn steps(task: &Task<'_>) -> u64 {
    task.shard.part(&task.tensors).count() as u64
}

pub(super) fn run(participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    let mut total = accumulators(participants);
    // Tensors run one after the other, because waiting threads of an oracle spin.
    for tensor in task.shard.part(&task.tensors) {
        if interrupt::asked() {
            break;
        }
        let of_tensor = compare_tensor(tensor, participants, task);
        for (total, accumulator) in total
            .iter_mut()
            .flatten()
            .zip(of_tensor.into_iter().flatten())
        {
            total.absorb(accumulator);
        }
        task.progress.inc(1);
    }
    for (candidate, accumulators) in task
        .shard
        .part(participants.candidates.iter().zip(&mut total))
    {
        let is_of = |tensor: &TernaryTensor<'_>| {
            reference_format(tensor.weights.format()) == reference_format(candidate.format)
        };
        // Oracles convert activations that are not finite to numbers.
        if participants.upstream.is_none() && task.tensors.iter().any(is_of) {
            let references = participants.compared_on(candidate.format).into_iter();
            let asked = references
                .zip(accumulators)
                .filter(|(index, _)| participants.references[*index].has(candidate.format));
            refusal::check(
                candidate.implementation.as_ref(),
                candidate.format,
                &mut asked
                    .map(|(_, accumulator)| accumulator)
                    .collect::<Vec<_>>(),
                task,
            );
        }
    }
    // A candidate whose type is not in the model has no outcome, not even a skip.
    let asked = total
        .into_iter()
        .flatten()
        .chain(variances(participants, task))
        .filter(|accumulator| !accumulator.is_untouched());
    asked.map(PairAccumulator::finish).collect()
}

/// For each candidate that is an oracle, whether its products depend on batch, threads and repetition.
fn variances(participants: &Participants, task: &Task<'_>) -> Vec<PairAccumulator> {
    let candidates = participants.candidates.iter();
    let of = |candidate: &Candidate| {
        let implementation = candidate.implementation.as_ref();
        let mut accumulator =
            PairAccumulator::of_kernel(Level::Tensor, candidate.format, implementation, ITSELF);
        for tensor in task.shard.part(&task.tensors) {
            let format = reference_format(tensor.weights.format());
            if format != candidate.format || interrupt::asked() {
                continue;
            }
            match Excerpt::of(&tensor.weights).pack(format) {
                Ok(matrix) => vary(implementation, tensor.name, &matrix, &mut accumulator, task),
                Err(error) => accumulator.omit(Omission::unsupported(error.to_string())),
            }
        }
        accumulator
    };
    candidates
        .filter(|_| participants.upstream.is_some())
        .map(of)
        .collect()
}

/// Multiplies a matrix with a batch, and again in other ways.
fn vary(
    implementation: &dyn Implementation,
    name: &str,
    matrix: &Matrix<'_>,
    accumulator: &mut PairAccumulator,
    task: &Task<'_>,
) {
    const BATCH: usize = 6;
    let cols = matrix.storage.cols();
    let activations = activations(name, BATCH, cols, task.seed);
    let of = |activations: &[f32], threads| products(implementation, matrix, activations, threads);
    let alone = || {
        let rows = activations.chunks_exact(cols).map(|row| of(row, 1));
        Ok(rows
            .collect::<Result<Vec<_>, ImplementationError>>()?
            .concat())
    };
    let reproduce = task.rerun(Level::Tensor);
    let computed = of(&activations, 1).and_then(|first| {
        let variants = [
            (
                "repeated",
                Attribution::Nondeterministic,
                of(&activations, 1)?,
            ),
            (
                "threads 2",
                Attribution::ThreadVariant,
                of(&activations, 2)?,
            ),
            ("batch 1", Attribution::BatchVariant, alone()?),
        ];
        Ok((first, variants))
    });
    match computed {
        Ok((first, variants)) => {
            for (how, kind, values) in variants {
                let how = format!("{how} in place of batch {BATCH}, threads 1");
                let variant = Variant { how, kind, values };
                invariance::compare(name, &first, &variant, accumulator, &reproduce);
            }
        }
        Err(error) => accumulator.refuse(&error, name, &reproduce),
    }
}

/// For each candidate, an accumulator for each oracle that it is compared with.
fn accumulators(participants: &Participants) -> Vec<Vec<PairAccumulator>> {
    let of = |candidate: &Candidate| {
        let implementation = candidate.implementation.as_ref();
        let accumulator = |r: &Reference| {
            PairAccumulator::of_kernel(
                Level::Tensor,
                candidate.format,
                implementation,
                r.implementation.id(),
            )
        };
        let compared = participants.compared_on(candidate.format).into_iter();
        compared
            .map(|index| accumulator(&participants.references[index]))
            .collect()
    };
    participants.candidates.iter().map(of).collect()
}

fn compare_tensor(
    tensor: &TernaryTensor<'_>,
    participants: &Participants,
    task: &Task<'_>,
) -> Vec<Vec<PairAccumulator>> {
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
            participants,
            task,
        )
    });
    let excerpt = LazyCell::new(|| {
        let excerpt = Excerpt::of(weights);
        let work = excerpt.pack(format).map(|matrix| {
            Work::new(
                tensor.name,
                excerpt.rows.clone(),
                matrix,
                participants,
                task,
            )
        });
        (excerpt, work)
    });
    let mut accumulators = accumulators(participants);
    for (candidate, accumulators) in participants.candidates.iter().zip(&mut accumulators) {
        if reference_format(candidate.format) != reference_format(format) {
            continue;
        }
        if candidate.format == format && !(candidate.slow && Excerpt::is_shorter_than(weights)) {
            whole.compare(candidate, &whole.matrix, participants, accumulators);
            continue;
        }
        let (excerpt, work) = &*excerpt;
        match (work, &excerpt.pack(candidate.format)) {
            (Ok(work), Ok(matrix)) => work.compare(candidate, matrix, participants, accumulators),
            (Err(error), _) | (_, Err(error)) => {
                accumulators.iter_mut().for_each(|accumulator| {
                    accumulator.omit(Omission::unsupported(error.to_string()))
                });
            }
        }
    }
    accumulators
}

/// Rows of a tensor in the layout of an implementation.
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

    /// All rows, or panels of rows that are evenly distributed from the first to the last.
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
        let variant = self.source.storage().variant();
        let storage = Storage::new(*format, variant, self.rows.len(), self.source.cols())?;
        let bytes = Cow::Owned(pack(&storage, &self.codes, &self.scales)?);
        Ok(Matrix { storage, bytes })
    }
}

/// A matrix with the products of every oracle.
struct Work<'a> {
    name: &'a str,
    /// Indices of the rows in the tensor.
    rows: Vec<usize>,
    /// The matrix in the layout of the oracles.
    matrix: Matrix<'a>,
    runs: Vec<Run>,
    reproduce: Rerun,
}

struct Run {
    batch: usize,
    threads: usize,
    activations: Vec<f32>,
    /// The products of each oracle, batch-major.
    expected: Vec<Result<Vec<f32>, ImplementationError>>,
}

impl<'a> Work<'a> {
    fn new(
        name: &'a str,
        rows: Vec<usize>,
        matrix: Matrix<'a>,
        participants: &Participants,
        task: &Task<'_>,
    ) -> Work<'a> {
        let run = |&(batch, threads): &(usize, usize)| {
            let activations = activations(name, batch, matrix.storage.cols(), task.seed);
            let product =
                |r: &Reference| products(r.implementation.as_ref(), &matrix, &activations, threads);
            let expected = participants.references.iter().map(product).collect();
            Run {
                batch,
                threads,
                activations,
                expected,
            }
        };
        let runs = RUNS.iter().map(run).collect();
        let reproduce = task.rerun(Level::Tensor);
        Work {
            name,
            rows,
            matrix,
            runs,
            reproduce,
        }
    }

    /// Runs the candidate on `matrix`, which has the same weights in its own format, and compares the products.
    fn compare(
        &self,
        candidate: &Candidate,
        matrix: &Matrix<'_>,
        participants: &Participants,
        accumulators: &mut [PairAccumulator],
    ) {
        for run in &self.runs {
            let actual = products(
                candidate.implementation.as_ref(),
                matrix,
                &run.activations,
                run.threads,
            );
            let compared = participants.compared_on(candidate.format).into_iter();
            for (index, accumulator) in compared.zip(accumulators.iter_mut()) {
                let expected = &run.expected[index];
                let floor = match participants.noise_floor(index) {
                    Ok(floor) => floor,
                    Err(reason) => {
                        accumulator.omit(Omission::skipped(reason));
                        continue;
                    }
                };
                let builds = floor.map(|(a, b)| (&run.expected[a], &run.expected[b]));
                let (first, second) = builds.unwrap_or((expected, expected));
                if let (Ok(expected), Ok(actual), Ok(first), Ok(second)) =
                    (expected, &actual, first, second)
                {
                    self.note(run, matrix, expected, actual, accumulator);
                    if floor.is_some() {
                        let floor = accumulator.floor.get_or_insert_default();
                        floor.add(first, second);
                    }
                    continue;
                }
                let errors = [
                    expected.as_ref().err(),
                    actual.as_ref().err(),
                    first.as_ref().err(),
                    second.as_ref().err(),
                ];
                for (i, error) in errors.iter().flatten().enumerate() {
                    if errors.iter().flatten().position(|other| other == error) == Some(i) {
                        accumulator.refuse(error, self.name, &self.reproduce);
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
        accumulator: &mut PairAccumulator,
    ) {
        accumulator.counter.add(expected, actual);
        let differs = |&i: &usize| actual[i].to_bits() != expected[i].to_bits();
        let Some(i) = (0..actual.len())
            .find(differs)
            .filter(|_| accumulator.wants_finding())
        else {
            return;
        };
        let (rows, cols) = (self.matrix.storage.rows(), self.matrix.storage.cols());
        let (batch, row) = (i / rows, i % rows);
        let activations = &run.activations[batch * cols..][..cols];
        let judged = ReferenceModel.judge_product(
            &self.matrix.weights(),
            row,
            activations,
            expected[i],
            actual[i],
        );
        accumulator.find(Finding {
            truth: Some(judged.truth).filter(|truth| truth.is_finite()),
            attribution: judged.attribution,
            case: case(&matrix.weights(), row, run),
            ..Finding::new(
                format!(
                    "{}, batch {}, threads {}",
                    self.name, run.batch, run.threads
                ),
                format!("row {}, activation row {batch}", self.rows[row]),
                Observed::from(expected[i]),
                Observed::from(actual[i]),
                &self.reproduce,
            )
        });
    }
}

/// The rows up to the one that differs. If these are many weights, only its panel.
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
    implementation: &dyn Implementation,
    matrix: &Matrix<'_>,
    activations: &[f32],
    threads: usize,
) -> Result<Vec<f32>, ImplementationError> {
    implementation.defined_on(&matrix.storage)?;
    let batch = activations.len() / matrix.storage.cols();
    let mut out = vec![0.0; batch * matrix.storage.rows()];
    implementation.products(&matrix.weights(), activations, threads, &mut out)?;
    Ok(out)
}

/// Activations, `batch x cols`, row-major: values around zero, the second row all zero, the third with outliers.
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
