//! Runs prefill and decode with each number of threads.

use std::path::Path;
use std::time::Duration;

use cpp_shim::Oracle;
use qk256::gguf::Gguf;
use qk256::model::{LoadParams, Model};

use super::runner::{Decoder, RUST, Room, failed};
use crate::bench::figures::{self, Work};
use crate::bench::operands;
use crate::bench::plan::{Effort, Extent};
use crate::bench::report::{BenchedModel, Computation, Evaluation, Phase, Report, Row, build};
use crate::bench::roof::{MultiplyAdd, Pool};
use crate::bench::sampling::{Runner, sample_interleaved};
use crate::implementation::ImplementationError;
use crate::interrupt;
use crate::model;
use crate::outcome::Omission;
use crate::probe::Random;
use crate::progress::Progress;

/// Number of multiply-add bursts in a call.
const BURSTS: usize = 64;

/// Parameters of a run.
pub struct ModelBench<'a> {
    /// The model file.
    pub model: &'a model::Model,
    /// The model as named on the command line.
    pub name: String,
    /// Oracles to compare with.
    pub oracles: Vec<Oracle>,
    /// Numbers of threads to run with.
    pub threads: Vec<usize>,
    /// Extent of the run.
    pub extent: Extent,
    /// Omissions so far.
    pub omitted: Vec<Omission>,
    /// Progress bar with one step for each row.
    pub progress: Progress,
}

/// Data that all rows share.
struct Benched<'b, 'm> {
    model: &'m Model<'m>,
    /// Bytes of the matrices that a decode reads.
    matrices: &'b [&'b [u8]],
    /// Number of multiplications of an activation with a weight for each token.
    multiply_adds: u64,
    roof: Option<MultiplyAdd>,
    prompt: &'b [u32],
}

impl ModelBench<'_> {
    /// Runs both phases with each number of threads and returns the report.
    ///
    /// # Errors
    ///
    /// [`ImplementationError::Failed`] if an implementation cannot open the model or decode.
    pub fn run(self) -> Result<Report, ImplementationError> {
        let gguf = self.model.gguf();
        let model = Model::load(&gguf, &LoadParams::default())
            .map_err(|error| failed(RUST, "load", error))?;
        let sha256 = self
            .model
            .sha256()
            .map_err(|error| failed(RUST, "hash", error))?;
        let (matrices, weights): (Vec<&[u8]>, Vec<usize>) = matrices(&gguf).unzip();
        let prompt = prompt(self.extent.prompt(), model.vocabulary());
        let benched = Benched {
            model: &model,
            matrices: &matrices,
            multiply_adds: weights.iter().sum::<usize>() as u64,
            roof: model
                .kernels()
                .first()
                .and_then(|kernel| MultiplyAdd::of(kernel.isa())),
            prompt: &prompt,
        };
        self.progress
            .set_length((self.threads.len() * Phase::ALL.len()) as u64);
        let mut rows = Vec::new();
        for &threads in &self.threads {
            if interrupt::asked() {
                break;
            }
            self.rows(&benched, threads, &mut rows)?;
        }
        self.progress.finish();
        let mut report = Report {
            build: build().into(),
            last_level_cache: operands::last_level_cache(),
            model: Some(BenchedModel {
                name: self.name,
                sha256,
                architecture: model.config().architecture.name().into(),
                kernels: model
                    .kernels()
                    .iter()
                    .map(|kernel| kernel.id().into())
                    .collect(),
                weight_bytes: matrices.iter().map(|bytes| bytes.len()).sum(),
            }),
            call_costs: Vec::new(),
            rows,
            omitted: self.omitted,
        };
        report.doubt(self.extent.conditions());
        Ok(report)
    }

    /// Runs both phases in the same contexts, so that decoding finds the prompt there.
    fn rows(
        &self,
        benched: &Benched<'_, '_>,
        threads: usize,
        rows: &mut Vec<Row>,
    ) -> Result<(), ImplementationError> {
        let room = Room {
            positions: benched.prompt.len() + 1,
            threads,
        };
        let mut decoders = vec![Decoder::rust(benched.model, room)?];
        for oracle in &self.oracles {
            let open = |path: &Path| Decoder::oracle(oracle, path, room);
            decoders.push(self.model.opened_by(open)?);
        }
        for phase in Phase::ALL {
            if interrupt::asked() {
                break;
            }
            self.progress.set_part(phase.name());
            rows.push(self.row(benched, phase, threads, &mut decoders)?);
            self.progress.inc(1);
        }
        Ok(())
    }

    fn row(
        &self,
        benched: &Benched<'_, '_>,
        phase: Phase,
        threads: usize,
        decoders: &mut [Decoder<'_>],
    ) -> Result<Row, ImplementationError> {
        let (context, tokens) = match phase {
            Phase::Prefill => (0, benched.prompt),
            Phase::Decode => (benched.prompt.len(), &benched.prompt[..1]),
        };
        let pool = Pool::new(threads)?;
        let ids: Vec<String> = decoders.iter().map(|decoder| decoder.id().into()).collect();
        let mut logits = vec![Vec::new(); decoders.len()];
        let decoding = decoders.iter_mut().zip(&mut logits);
        let mut runners: Vec<Runner<'_>> = decoding
            .map(|(decoder, logits)| -> Runner<'_> {
                Box::new(move |mut calls| {
                    calls.try_for_each(|_| decoder.decode(context, tokens, logits))
                })
            })
            .collect();
        runners.push(Box::new(|calls| {
            for _ in calls {
                pool.read(|matrix| benched.matrices[matrix], 0..benched.matrices.len());
            }
            Ok(())
        }));
        if let Some(roof) = benched.roof {
            let pool = &pool;
            runners.push(Box::new(move |calls| {
                pool.multiply_add(roof, BURSTS * calls.len());
                Ok(())
            }));
        }
        let times = sample_interleaved(&mut runners, &self.extent.model_effort())?;
        drop(runners);

        let (of_participants, of_roofs) = times.split_at(ids.len());
        let own = (&of_participants[0], logits[0].as_slice());
        let others = ids.iter().zip(of_participants).zip(&logits).skip(1);
        let oracles = others
            .map(|((id, times), logits)| figures::versus(id, (times, logits.as_slice()), own))
            .collect();
        let work = Work {
            bytes: benched.matrices.iter().map(|bytes| bytes.len()).sum(),
            multiply_adds: benched.multiply_adds * tokens.len() as u64,
        };
        let bursts = (BURSTS * threads) as u64;
        let multiply_add = benched.roof.map(|roof| (roof, bursts, &of_roofs[1]));
        let evaluation = Evaluation {
            phase,
            tokens: tokens.len(),
            context,
        };
        Ok(Row {
            computation: Computation::Evaluation(evaluation),
            threads,
            time: figures::timing(own.0),
            oracles,
            roofs: figures::roofs(&work, &of_roofs[0], multiply_add, own.0),
            doubts: Vec::new(),
        })
    }
}

impl Extent {
    /// Number of tokens in the prompt.
    const fn prompt(self) -> usize {
        match self {
            Extent::Full => 128,
            Extent::Quick => 8,
        }
    }

    /// Time spent on each row.
    const fn model_effort(self) -> Effort {
        match self {
            Extent::Full => Effort {
                case: Duration::from_secs(20),
                sample: Duration::from_millis(20),
            },
            Extent::Quick => self.effort(),
        }
    }
}

/// The bytes and the number of weights of each matrix that a decode reads completely. An embedding that is not the
/// output matrix is left out, because a decode reads only one row of it.
fn matrices<'a>(gguf: &Gguf<'a>) -> impl Iterator<Item = (&'a [u8], usize)> {
    let untied = gguf.find_tensor("output.weight").is_some();
    gguf.tensors()
        .filter(move |tensor| !(untied && tensor.name() == "token_embd.weight"))
        .filter(|tensor| tensor.rows() > 1)
        .map(|tensor| {
            let bytes = tensor.data().unwrap_or(tensor.bytes());
            (bytes, tensor.rows() * tensor.columns())
        })
}

/// Pseudo-random tokens.
fn prompt(len: usize, vocabulary: usize) -> Vec<u32> {
    let mut random = Random::new(0, "bench/prompt");
    (0..len).map(|_| random.below(vocabulary) as u32).collect()
}
