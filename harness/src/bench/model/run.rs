//! Runs prefill and decode on each number of threads.

use std::path::Path;
use std::time::Duration;

use cpp_shim::Oracle;
use indicatif::ProgressBar;
use qk256::gguf::Gguf;
use qk256::model::{LoadParams, Model};

use super::report::{BenchedModel, ModelReport, ModelRow, Phase};
use super::runner::{Decoder, RUST, Room, failed};
use crate::bench::figures::{self, Work};
use crate::bench::plan::{Effort, Extent};
use crate::bench::report::build;
use crate::bench::roof::{Crew, MultiplyAdd};
use crate::bench::turns::{Runner, take_turns};
use crate::implementation::SideError;
use crate::interrupt;
use crate::model;
use crate::probe::Random;

/// Bursts of a multiply-add in one call.
const BURSTS: usize = 64;

/// How often the bar shows that time goes by.
const TICK: Duration = Duration::from_millis(200);

/// What to run.
pub struct ModelBench<'a> {
    /// The model file.
    pub model: &'a model::Model,
    /// How it was asked for.
    pub name: String,
    /// Oracles that the forward pass is measured against.
    pub oracles: Vec<Oracle>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// How much.
    pub extent: Extent,
    /// What could not take part so far, with reasons.
    pub skipped: Vec<String>,
    /// Takes a step for each row.
    pub progress: ProgressBar,
}

/// What all rows share.
struct Benched<'b, 'm> {
    model: &'m Model<'m>,
    /// What a decode reads, one matrix after the other.
    matrices: &'b [&'b [u8]],
    /// Multiplications of an activation with a weight, for each token.
    multiply_adds: u64,
    roof: Option<MultiplyAdd>,
    prompt: &'b [u32],
}

impl ModelBench<'_> {
    /// Runs both phases on each number of threads, and reports.
    ///
    /// # Errors
    ///
    /// [`SideError::Failed`] if a side cannot open the model or decode.
    pub fn run(self) -> Result<ModelReport, SideError> {
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
        self.progress.enable_steady_tick(TICK);
        let mut rows = Vec::new();
        for &threads in &self.threads {
            if interrupt::asked() {
                break;
            }
            self.rows(&benched, threads, &mut rows)?;
        }
        self.progress.finish_and_clear();
        let mut report = ModelReport {
            build: build().into(),
            model: BenchedModel {
                name: self.name,
                sha256,
                architecture: model.config().architecture.name().into(),
                kernels: model
                    .kernels()
                    .iter()
                    .map(|kernel| kernel.id().into())
                    .collect(),
                weight_bytes: matrices.iter().map(|bytes| bytes.len()).sum(),
            },
            rows,
            skipped: self.skipped,
        };
        report.doubt(self.extent.conditions());
        Ok(report)
    }

    /// Both phases in the same contexts, so that decoding finds the prompt there.
    fn rows(
        &self,
        benched: &Benched<'_, '_>,
        threads: usize,
        rows: &mut Vec<ModelRow>,
    ) -> Result<(), SideError> {
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
            self.progress.set_message(phase.name());
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
    ) -> Result<ModelRow, SideError> {
        let (context, tokens) = match phase {
            Phase::Prefill => (0, benched.prompt),
            Phase::Decode => (benched.prompt.len(), &benched.prompt[..1]),
        };
        let crew = Crew::new(threads)?;
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
                crew.read(|matrix| benched.matrices[matrix], 0..benched.matrices.len());
            }
            Ok(())
        }));
        if let Some(roof) = benched.roof {
            let crew = &crew;
            runners.push(Box::new(move |calls| {
                crew.multiply_add(roof, BURSTS * calls.len());
                Ok(())
            }));
        }
        let times = take_turns(&mut runners, &self.extent.model_effort())?;
        drop(runners);

        let (of_sides, of_roofs) = times.split_at(ids.len());
        let own = (&of_sides[0], logits[0].as_slice());
        let others = ids.iter().zip(of_sides).zip(&logits).skip(1);
        let oracles = others
            .map(|((id, times), logits)| figures::versus(id, (times, logits.as_slice()), own))
            .collect();
        let work = Work {
            bytes: benched.matrices.iter().map(|bytes| bytes.len()).sum(),
            multiply_adds: benched.multiply_adds * tokens.len() as u64,
        };
        let bursts = (BURSTS * threads) as u64;
        let multiply_add = benched.roof.map(|roof| (roof, bursts, &of_roofs[1]));
        let time = figures::timing(own.0);
        Ok(ModelRow {
            phase,
            tokens: tokens.len(),
            context,
            threads,
            tokens_per_second: tokens.len() as f64 / time.seconds.value,
            time,
            oracles,
            roofs: figures::roofs(&work, &of_roofs[0], multiply_add, own.0),
            doubts: Vec::new(),
        })
    }
}

impl Extent {
    /// Tokens of the prompt.
    const fn prompt(self) -> usize {
        match self {
            Extent::Full => 128,
            Extent::Quick => 8,
        }
    }

    /// How long each row takes.
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

/// The bytes of each matrix that a decode reads as a whole, and its weights. Of an embedding that is no output matrix
/// it reads a row.
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

/// Tokens without structure.
fn prompt(len: usize, vocabulary: usize) -> Vec<u32> {
    let mut random = Random::new(0, "bench/prompt");
    (0..len).map(|_| random.below(vocabulary) as u32).collect()
}
