//! `harness fuzz`: runs random cases on all participants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use qk256::kernel;

use super::recording::ReceiptOption;
use super::select::{KernelSelection, OracleSelection, oracle_ids, oracle_infos};
use super::{CliError, Output, duration, outcomes, style};
use crate::case_record::CaseRecord;
use crate::destination::Destinations;
use crate::diagnose::Diagnosis;
use crate::exit::Exit;
use crate::fuzz::{Campaign, Difference, Limit, Regression, Summary, case_index};
use crate::interrupt;
use crate::outcome::Omission;
use crate::participant::Participants;
use crate::receipt::{FuzzParameters, FuzzSection, Receipt, Recorder, Section, Work};
use crate::shard::Shard;

/// Number of cases of a campaign without a limit.
const DEFAULT_CASES: u64 = 20_000;

/// Run random matrices on every kernel, every oracle that supports them, and the reference model
///
/// The input of a difference is shrunk and written to a file for `harness replay`. Known divergences of an oracle are
/// counted and are no findings. Case n of a seed is always the same, so a campaign can continue where another one
/// ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness fuzz
  harness fuzz --time 10m --seed 7 --shard 1/2
  harness fuzz --shard 2/4 --receipt fuzz-2.json
  harness fuzz --cases 100000 --start 100000 --kernel i2_s.group128.scalar")]
pub(super) struct FuzzArgs {
    /// Stop after this number of cases [default: 20000, unless --time is given]
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// Stop after this time: a number of seconds, or for example 30s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    time: Option<Duration>,
    /// Seed of all cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Index of the first case
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    start: u64,
    /// Run shard i of n: every n-th case, starting with the i-th
    #[arg(long, value_name = "i/n", default_value_t)]
    shard: Shard,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Folder for the inputs of findings
    #[arg(long, value_name = "DIR", default_value = "corpus/regressions")]
    out: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

/// The result of a campaign.
pub(super) struct Fuzzed {
    summary: Summary,
    /// Paths of the written findings.
    files: Vec<PathBuf>,
    omitted: Vec<Omission>,
    /// The receipt, if it was requested and the run was not interrupted.
    pub(super) receipt: Option<Receipt>,
}

pub(super) fn run(args: &FuzzArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    args.require_indices()?;
    interrupt::not_done(match args.limit().cases {
        Some(cases) => format!("the rest of {cases} cases"),
        None => "the rest of the time".into(),
    });
    Destinations::folder(&args.out)?;
    let recording = args.receipt.prepare(Destinations::default(), out)?;
    let fuzzed = fuzz(
        args,
        args.limit(),
        args.receipt.is_wanted() || out.is_json(),
    )?;
    let Fuzzed {
        summary,
        files,
        omitted,
        receipt,
    } = &fuzzed;
    for ((_, _, difference), file) in summary.findings.iter().zip(files) {
        let (candidate, reference) = (&difference.candidate, &difference.reference);
        writeln!(out.text(), "{candidate} against {reference}")?;
        let command = format!("harness replay {}", file.display());
        style::finding(&difference.finding, &command, out.text())?;
        out.annotate(
            format_args!("{candidate} against {reference} differs"),
            command,
        );
    }
    outcomes::print_omitted(omitted, out.text())?;
    print(args, summary, out)?;
    out.receipt(receipt.as_ref())?;
    args.receipt.require_done(|| match args.limit().cases {
        Some(cases) => format!("{} of {cases} cases", cases.saturating_sub(summary.cases)),
        None => "the rest of the time".into(),
    })?;
    recording.write(receipt.as_ref())?;
    Ok(match (summary.comparisons, summary.findings.len()) {
        (_, 1..) => Exit::Divergence,
        (0, _) => {
            match summary.cases {
                0 => out.nothing_compared("no case was tried"),
                n => out.nothing_compared(format!(
                    "no two implementations are defined on any of {n} cases"
                )),
            }
            let omitted = omitted.iter();
            omitted.for_each(|omission| out.nothing_compared(omission.to_string()));
            Exit::NothingCompared
        }
        _ => Exit::Agreement,
    })
}

/// Runs the campaign until `limit`, writes its findings, and makes a receipt if `wants_receipt`.
///
/// # Errors
///
/// [`CliError`] if there is nothing to compare, or if a finding cannot be written.
pub(super) fn fuzz(args: &FuzzArgs, limit: Limit, wants_receipt: bool) -> Result<Fuzzed, CliError> {
    let recorder = Recorder::start();
    let candidates = args.kernels.candidates()?;
    let oracles = args.oracles.load()?;
    let mut omitted = oracles.omitted;
    let mut can_run = Vec::new();
    for candidate in candidates {
        match kernel::by_id(candidate.implementation.id()).map(|kernel| kernel.availability()) {
            Some(Ok(())) => can_run.push(candidate),
            Some(Err(missing)) => {
                let omission = Omission::skipped(missing.to_string());
                omitted.push(omission.of(candidate.implementation.id()));
            }
            None => {}
        }
    }
    let participants = Participants {
        references: oracles.references,
        candidates: can_run,
        engines: Vec::new(),
        upstream: None,
    };
    let campaign = Campaign {
        participants: &participants,
        seed: args.seed,
        start: args.start,
        shard: args.shard,
        limit,
    };
    let progress = style::progress();
    progress.set_part("fuzz");
    let mut summary = campaign.run(&progress)?;
    let mut diagnosis = Diagnosis::new(&participants);
    let mut files = Vec::new();
    for (index, case, difference) in &mut summary.findings {
        let Difference {
            candidate,
            reference,
            finding,
        } = difference;
        finding.cause = diagnosis.of_case(finding, candidate, reference, case);
        finding.input = Some(CaseRecord::from(&*case));
        let description = format!(
            "{} against {}, shrunk from case {index} of seed {}",
            difference.candidate, difference.reference, args.seed
        );
        files.push(Regression::new(description, case, Some(difference)).write(&args.out)?);
    }
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let ids = oracle_ids(&participants.references);
        let run = recorder.finish(Section::Fuzz, args.shard, None, ids, Vec::new());
        let section = FuzzSection::new(
            args.parameters(),
            args.shard,
            &summary,
            &files,
            omitted.clone(),
        );
        let infos = oracle_infos(&participants.references);
        receipt = Some(Receipt::new(run, Work::Fuzz(section), None, infos)?);
    }
    Ok(Fuzzed {
        summary,
        files,
        omitted,
        receipt,
    })
}

impl FuzzArgs {
    /// The arguments of one shard of a campaign recorded in a receipt. Findings are written to `out`.
    pub(super) fn recorded(parameters: &FuzzParameters, shard: Shard, out: &Path) -> FuzzArgs {
        let time = parameters.seconds.map(Duration::try_from_secs_f64);
        FuzzArgs {
            cases: parameters.cases,
            time: time.map(|time| time.unwrap_or(Duration::MAX)),
            seed: parameters.seed,
            start: parameters.start,
            shard,
            receipt: ReceiptOption::default(),
            out: out.to_owned(),
            oracles: OracleSelection::of(&parameters.oracles),
            kernels: KernelSelection::of(&parameters.kernels),
        }
    }

    /// Returns an error if the indices of the cases overflow.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`].
    fn require_indices(&self) -> Result<(), CliError> {
        let last = self.cases().unwrap_or(1).saturating_sub(1);
        match case_index(self.start, self.shard, last) {
            Some(_) => Ok(()),
            None => Err(CliError::Usage(format!(
                "cases are numbered up to {}: there are not so many from --start {} on",
                u64::MAX,
                self.start
            ))),
        }
    }

    fn limit(&self) -> Limit {
        Limit {
            cases: self.cases(),
            time: self.time,
        }
    }

    fn cases(&self) -> Option<u64> {
        self.cases.or(self.time.is_none().then_some(DEFAULT_CASES))
    }

    fn parameters(&self) -> FuzzParameters {
        FuzzParameters {
            seed: self.seed,
            start: self.start,
            cases: self.cases(),
            seconds: self.time.map(|time| time.as_secs_f64()),
            oracles: self.oracles.ids(),
            kernels: self.kernels.ids(),
        }
    }
}

fn print(args: &FuzzArgs, summary: &Summary, out: &mut Output<'_>) -> Result<(), CliError> {
    let seconds = summary.elapsed.as_secs_f64().max(1e-9);
    let rate = (summary.comparisons as f64 / seconds) as u64;
    writeln!(
        out.verdict(),
        "{} cases, {} block comparisons ({} a second), {} known divergences, {} findings",
        style::count(summary.cases),
        style::count(summary.comparisons),
        style::count(rate),
        style::count(summary.known),
        summary.findings.len()
    )?;
    let shard = match args.shard {
        Shard::WHOLE => String::new(),
        shard => format!(" --shard {shard}"),
    };
    writeln!(
        out.text(),
        "goes on with: harness fuzz --seed {} --start {}{shard}",
        args.seed,
        summary.next
    )?;
    Ok(())
}
