//! Runs the cases of the kernel bench.

use qk256::format::ShapeError;
use qk256::kernel::Kernel;

use super::figures::{self, Work, timing};
use super::operands::{self, Matrix};
use super::plan::{Case, Effort, Extent, Shape};
use super::report::{Computation, Product, Report, Residence, Row, build};
use super::roof::{MultiplyAdd, Pool};
use super::sampling::{Runner, sample_interleaved};
use super::timing::CallCost;
use crate::implementation::{Implementation, ImplementationError};
use crate::interrupt;
use crate::outcome::Omission;
use crate::participant::{KernelImplementation, Reference, reference_format};
use crate::progress::Progress;

/// A product so small that starting and joining threads dominates its time.
const NEXT_TO_NOTHING: Shape = Shape {
    rows: 16,
    cols: 256,
    beyond_cache: false,
};

/// Number of multiply-add bursts in a call, long enough to make the waking of threads negligible.
const BURSTS: usize = 64;

/// Parameters of a run.
pub struct Bench {
    /// Oracles to compare with.
    pub references: Vec<Reference>,
    /// Kernels to run. This CPU must support them.
    pub kernels: Vec<&'static Kernel>,
    /// Numbers of threads to run with.
    pub threads: Vec<usize>,
    /// Extent of the run.
    pub extent: Extent,
    /// Omissions so far.
    pub omitted: Vec<Omission>,
    /// Progress bar with one step for each row.
    pub progress: Progress,
}

impl Bench {
    /// Runs every case of every kernel and returns the report.
    ///
    /// # Errors
    ///
    /// [`ImplementationError::Failed`] if an implementation fails on an input that it supports.
    pub fn run(mut self) -> Result<Report, ImplementationError> {
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
            self.progress.set_part(case.operation());
            let buffers = match buffers.take() {
                Some(fitting) if fitting.fit(&case) => buffers.insert(fitting),
                _ => buffers.insert(Buffers::new(&case)?),
            };
            rows.extend(self.row(kernel, &case, buffers)?);
            self.progress.inc(1);
        }
        let call_costs = self.call_costs()?;
        self.progress.finish();
        let mut report = Report {
            build: build().into(),
            last_level_cache: operands::last_level_cache(),
            model: None,
            call_costs,
            rows,
            omitted: self.omitted,
        };
        report.doubt(self.extent.conditions());
        Ok(report)
    }

    /// Indices of the oracles that support the weights. Records the others as omitted.
    fn defined_on(&mut self, matrix: &Matrix) -> Vec<usize> {
        let mut defined = Vec::new();
        for (index, reference) in self.references.iter().enumerate() {
            match reference.implementation.defined_on(matrix.storage()) {
                Ok(()) => defined.push(index),
                Err(error) => {
                    let omission = Omission::from(&error);
                    if !self.omitted.contains(&omission) {
                        self.omitted.push(omission);
                    }
                }
            }
        }
        defined
    }

    /// Measures one row. None if no oracle supports the format.
    fn row(
        &mut self,
        kernel: &'static Kernel,
        case: &Case,
        buffers: &Buffers,
    ) -> Result<Option<Row>, ImplementationError> {
        let defined = self.defined_on(buffers.reference());
        if defined.is_empty() {
            return Ok(None);
        }
        let candidate = KernelImplementation::new(kernel);
        let mut participants = vec![(&candidate as &dyn Implementation, &buffers.matrix)];
        for index in defined {
            participants.push((
                self.references[index].implementation.as_ref(),
                buffers.reference(),
            ));
        }
        let activations = operands::activations(case.batch, case.shape.cols);
        let mut products = vec![vec![0.0; case.batch * case.shape.rows]; participants.len()];
        let pool = Pool::new(case.threads)?;
        let multiply_add = MultiplyAdd::of(kernel.isa());
        let times = {
            let mut runners = products_of(&participants, &activations, case.threads, &mut products);
            runners.push(Box::new(|calls| {
                pool.read(|call| buffers.matrix.bytes(call), calls);
                Ok(())
            }));
            if let Some(multiply_add) = multiply_add {
                let pool = &pool;
                runners.push(Box::new(move |calls| {
                    pool.multiply_add(multiply_add, BURSTS * calls.len());
                    Ok(())
                }));
            }
            sample_interleaved(&mut runners, &self.extent.effort())?
        };

        let (of_participants, of_roofs) = times.split_at(participants.len());
        let own = (&of_participants[0], products[0].as_slice());
        let others = participants
            .iter()
            .zip(of_participants)
            .zip(&products)
            .skip(1);
        let oracles = others.map(|(((implementation, _), times), products)| {
            figures::versus(implementation.id(), (times, products.as_slice()), own)
        });
        let oracles = oracles.collect();
        let work = Work {
            bytes: buffers.matrix.storage().bytes(),
            multiply_adds: case.multiply_adds(),
        };
        let bursts = (BURSTS * case.threads) as u64;
        let multiply_add = multiply_add.map(|instruction| (instruction, bursts, &of_roofs[1]));
        let product = Product {
            operation: case.operation().into(),
            format: kernel.format().id.into(),
            rows: case.shape.rows,
            cols: case.shape.cols,
            batch: case.batch,
            kernel: kernel.id().into(),
            weight_bytes: work.bytes,
            copies: buffers.matrix.copies(),
            residence: buffers.residence,
        };
        Ok(Some(Row {
            computation: Computation::Product(product),
            threads: case.threads,
            time: timing(own.0),
            oracles,
            roofs: figures::roofs(&work, &of_roofs[0], multiply_add, own.0),
            doubts: Vec::new(),
        }))
    }

    /// The fixed cost of a call of each implementation for each number of threads.
    fn call_costs(&self) -> Result<Vec<CallCost>, ImplementationError> {
        let Some(&kernel) = self.kernels.first() else {
            return Ok(Vec::new());
        };
        let candidate = KernelImplementation::new(kernel);
        let mut costs = Vec::new();
        for &threads in &self.threads {
            let case = Case {
                format: kernel.format(),
                shape: NEXT_TO_NOTHING,
                batch: 1,
                threads,
            };
            let buffers = Buffers::new(&case)?;
            let mut participants = vec![(&candidate as &dyn Implementation, &buffers.matrix)];
            for reference in &self.references {
                if reference
                    .implementation
                    .defined_on(buffers.reference().storage())
                    .is_ok()
                {
                    participants.push((reference.implementation.as_ref(), buffers.reference()));
                }
            }
            let activations = operands::activations(1, case.shape.cols);
            let mut products = vec![vec![0.0; case.shape.rows]; participants.len()];
            let mut runners = products_of(&participants, &activations, threads, &mut products);
            let effort = Effort {
                case: self.extent.effort().case / 10,
                ..self.extent.effort()
            };
            let times = sample_interleaved(&mut runners, &effort)?;
            costs.extend(
                participants
                    .iter()
                    .zip(&times)
                    .map(|((implementation, _), times)| CallCost {
                        implementation: implementation.id().into(),
                        threads,
                        seconds: timing(times).seconds,
                    }),
            );
        }
        Ok(costs)
    }
}

/// The weights of a case for the kernel, and for the oracles if they read another layout.
struct Buffers {
    matrix: Matrix,
    reference: Option<Matrix>,
    residence: Residence,
}

impl Buffers {
    fn new(case: &Case) -> Result<Buffers, ImplementationError> {
        let unfit = |error: ShapeError| ImplementationError::failed(case.format.id, "pack", error);
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

    /// The weights for the oracles.
    fn reference(&self) -> &Matrix {
        self.reference.as_ref().unwrap_or(&self.matrix)
    }

    /// Whether these buffers hold the weights of the case.
    fn fit(&self, case: &Case) -> bool {
        let storage = self.matrix.storage();
        let shape = (storage.rows(), storage.cols());
        storage.format() == case.format && shape == (case.shape.rows, case.shape.cols)
    }
}

/// One runner for each implementation, which writes its products into its own buffer.
fn products_of<'a>(
    participants: &[(&'a dyn Implementation, &'a Matrix)],
    activations: &'a [f32],
    threads: usize,
    products: &'a mut [Vec<f32>],
) -> Vec<Runner<'a>> {
    let runner = |(&(implementation, matrix), out): (
        &(&'a dyn Implementation, &'a Matrix),
        &'a mut Vec<f32>,
    )| {
        let run: Runner<'a> = Box::new(move |mut calls| {
            calls.try_for_each(|call| {
                implementation.products(&matrix.weights(call), activations, threads, out)
            })
        });
        run
    };
    participants.iter().zip(products).map(runner).collect()
}
