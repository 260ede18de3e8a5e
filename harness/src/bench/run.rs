//! Runs the cases.

use indicatif::ProgressBar;
use qk256::format::ShapeError;
use qk256::kernel::Kernel;

use super::figures::{self, Work, timing};
use super::operands::{self, Matrix};
use super::plan::{Case, Effort, Extent, Shape};
use super::report::{CallCost, Report, Residence, Row, build};
use super::roof::{Crew, MultiplyAdd};
use super::turns::{Runner, take_turns};
use crate::implementation::{Implementation, SideError};
use crate::interrupt;
use crate::side::{KernelSide, Reference, reference_format};

/// A product so small that starting and joining threads is all that counts.
const NEXT_TO_NOTHING: Shape = Shape {
    rows: 16,
    cols: 256,
    beyond_cache: false,
};

/// Bursts of a multiply-add in one call: long enough to make nothing of waking threads.
const BURSTS: usize = 64;

/// What to run.
pub struct Bench {
    /// Oracles that kernels are measured against.
    pub references: Vec<Reference>,
    /// Kernels, which this CPU must be able to run.
    pub kernels: Vec<&'static Kernel>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How much.
    pub extent: Extent,
    /// What could not take part so far, with reasons.
    pub skipped: Vec<String>,
    /// Takes a step for each row.
    pub progress: ProgressBar,
}

impl Bench {
    /// Runs every case of every kernel, and reports.
    ///
    /// # Errors
    ///
    /// [`SideError::Failed`] if a side does not do what it says it can do.
    pub fn run(mut self) -> Result<Report, SideError> {
        let work: Vec<(&'static Kernel, Case)> = self
            .kernels
            .iter()
            .flat_map(|&kernel| {
                let cases = self.extent.cases(kernel.format(), &self.threads);
                cases.into_iter().map(move |case| (kernel, case))
            })
            .collect();
        self.progress.set_length(work.len() as u64);
        let mut rows = Vec::new();
        let mut buffers: Option<Buffers> = None;
        for (kernel, case) in work {
            if interrupt::asked() {
                break;
            }
            self.progress.set_message(case.operation());
            let buffers = match buffers.take() {
                Some(fitting) if fitting.fit(&case) => buffers.insert(fitting),
                _ => buffers.insert(Buffers::new(&case)?),
            };
            rows.extend(self.row(kernel, &case, buffers)?);
            self.progress.inc(1);
        }
        let call_costs = self.call_costs()?;
        self.progress.finish_and_clear();
        let mut report = Report {
            build: build().into(),
            last_level_cache: operands::last_level_cache(),
            call_costs,
            rows,
            skipped: self.skipped,
        };
        report.doubt(self.extent.conditions());
        Ok(report)
    }

    /// The oracles that are defined on the weights; notes the others.
    fn defined_on(&mut self, matrix: &Matrix) -> Vec<usize> {
        let mut defined = Vec::new();
        for (index, reference) in self.references.iter().enumerate() {
            match reference.side.defined_on(matrix.storage()) {
                Ok(()) => defined.push(index),
                Err(reason) => {
                    let reason = reason.to_string();
                    if !self.skipped.contains(&reason) {
                        self.skipped.push(reason);
                    }
                }
            }
        }
        defined
    }

    /// One row; none if no oracle is defined on the format.
    fn row(
        &mut self,
        kernel: &'static Kernel,
        case: &Case,
        buffers: &Buffers,
    ) -> Result<Option<Row>, SideError> {
        let defined = self.defined_on(buffers.reference());
        if defined.is_empty() {
            return Ok(None);
        }
        let candidate = KernelSide::new(kernel);
        let mut sides = vec![(&candidate as &dyn Implementation, &buffers.matrix)];
        for index in defined {
            sides.push((self.references[index].side.as_ref(), buffers.reference()));
        }
        let activations = operands::activations(case.batch, case.shape.cols);
        let mut products = vec![vec![0.0; case.batch * case.shape.rows]; sides.len()];
        let crew = Crew::new(case.threads)?;
        let multiply_add = MultiplyAdd::of(kernel.isa());
        let times = {
            let mut runners = products_of(&sides, &activations, case.threads, &mut products);
            runners.push(Box::new(|calls| {
                crew.read(|call| buffers.matrix.bytes(call), calls);
                Ok(())
            }));
            if let Some(multiply_add) = multiply_add {
                let crew = &crew;
                runners.push(Box::new(move |calls| {
                    crew.multiply_add(multiply_add, BURSTS * calls.len());
                    Ok(())
                }));
            }
            take_turns(&mut runners, &self.extent.effort())?
        };

        let (of_sides, of_roofs) = times.split_at(sides.len());
        let own = (&of_sides[0], products[0].as_slice());
        let others = sides.iter().zip(of_sides).zip(&products).skip(1);
        let oracles = others.map(|(((side, _), times), products)| {
            figures::versus(side.id(), (times, products.as_slice()), own)
        });
        let oracles = oracles.collect();
        let work = Work {
            bytes: buffers.matrix.storage().bytes(),
            multiply_adds: case.multiply_adds(),
        };
        let bursts = (BURSTS * case.threads) as u64;
        let multiply_add = multiply_add.map(|instruction| (instruction, bursts, &of_roofs[1]));
        Ok(Some(Row {
            operation: case.operation().into(),
            format: kernel.format().id.into(),
            rows: case.shape.rows,
            cols: case.shape.cols,
            batch: case.batch,
            threads: case.threads,
            kernel: kernel.id().into(),
            weight_bytes: work.bytes,
            copies: buffers.matrix.copies(),
            residence: buffers.residence,
            time: timing(own.0),
            oracles,
            roofs: figures::roofs(&work, &of_roofs[0], multiply_add, own.0),
            doubts: Vec::new(),
        }))
    }

    /// What a call costs each side before any arithmetic, on each number of threads.
    fn call_costs(&self) -> Result<Vec<CallCost>, SideError> {
        let Some(&kernel) = self.kernels.first() else {
            return Ok(Vec::new());
        };
        let candidate = KernelSide::new(kernel);
        let mut costs = Vec::new();
        for &threads in &self.threads {
            let case = Case {
                format: kernel.format(),
                shape: NEXT_TO_NOTHING,
                batch: 1,
                threads,
            };
            let buffers = Buffers::new(&case)?;
            let mut sides = vec![(&candidate as &dyn Implementation, &buffers.matrix)];
            for reference in &self.references {
                if reference
                    .side
                    .defined_on(buffers.reference().storage())
                    .is_ok()
                {
                    sides.push((reference.side.as_ref(), buffers.reference()));
                }
            }
            let activations = operands::activations(1, case.shape.cols);
            let mut products = vec![vec![0.0; case.shape.rows]; sides.len()];
            let mut runners = products_of(&sides, &activations, threads, &mut products);
            let effort = Effort {
                case: self.extent.effort().case / 10,
                ..self.extent.effort()
            };
            let times = take_turns(&mut runners, &effort)?;
            costs.extend(sides.iter().zip(&times).map(|((side, _), times)| CallCost {
                side: side.id().into(),
                threads,
                seconds: timing(times).seconds,
            }));
        }
        Ok(costs)
    }
}

/// The weights of a case: the kernel's, and the oracles' where these read another layout.
struct Buffers {
    matrix: Matrix,
    reference: Option<Matrix>,
    residence: Residence,
}

impl Buffers {
    fn new(case: &Case) -> Result<Buffers, SideError> {
        let unfit = |error: ShapeError| SideError::Failed {
            side: case.format.id.into(),
            operation: "pack",
            reason: error.to_string(),
        };
        let Shape {
            rows,
            cols,
            beyond_cache,
        } = case.shape;
        let bytes = rows * cols / 4;
        let (copies, beyond) = operands::copies(bytes, beyond_cache);
        let other = Some(reference_format(case.format)).filter(|other| *other != case.format);
        let packed = |format| Matrix::new(format, case.shape, copies).map_err(unfit);
        Ok(Buffers {
            matrix: packed(case.format)?,
            reference: other.map(packed).transpose()?,
            residence: if beyond {
                Residence::Memory
            } else {
                Residence::Cache
            },
        })
    }

    /// What oracles read.
    fn reference(&self) -> &Matrix {
        self.reference.as_ref().unwrap_or(&self.matrix)
    }

    /// Whether these are the weights of the case.
    fn fit(&self, case: &Case) -> bool {
        let storage = self.matrix.storage();
        let shape = (storage.rows(), storage.cols());
        storage.format() == case.format && shape == (case.shape.rows, case.shape.cols)
    }
}

/// A runner for each side, which writes its products into a buffer of its own.
fn products_of<'a>(
    sides: &[(&'a dyn Implementation, &'a Matrix)],
    activations: &'a [f32],
    threads: usize,
    products: &'a mut [Vec<f32>],
) -> Vec<Runner<'a>> {
    let runner =
        |(&(side, matrix), out): (&(&'a dyn Implementation, &'a Matrix), &'a mut Vec<f32>)| {
            let run: Runner<'a> = Box::new(move |mut calls| {
                calls.try_for_each(|call| {
                    side.products(&matrix.weights(call), activations, threads, out)
                })
            });
            run
        };
    sides.iter().zip(products).map(runner).collect()
}
