//! `harness fuzz`: random cases through all sides.

use std::path::PathBuf;

use clap::Args;

use qk256::kernel;

use super::recording::ReceiptOption;
use super::select::{KernelSelection, OracleSelection, oracle_ids, oracle_infos};
use super::{CliError, Output, duration, style};
use crate::case_record::CaseRecord;
use crate::destination::Destinations;
use crate::diagnose::Examinations;
use crate::exit::Exit;
use crate::fuzz::{Campaign, Difference, Limit, Regression, Summary, case_index};
use crate::interrupt;
use crate::receipt::{FuzzParameters, FuzzSection, Receipt, Recorder, Section, Work};
use crate::shard::Shard;
use crate::side::Sides;

/// Cases of a campaign without a limit.
const DEFAULT_CASES: u64 = 20_000;

/// Try random matrices on every kernel, every oracle that is defined on them, and the arbiter
///
/// A difference is made as small as it will go and written to a file that `harness replay` runs. What an oracle is known
/// to be wrong about is counted, and is no finding. Case n of a seed is always the same, so that a campaign goes on
/// where another one ended.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness fuzz
  harness fuzz --time 10m --seed 7 --shard 1/2
  harness fuzz --shard 2/4 --receipt fuzz-2.json
  harness fuzz --cases 100000 --start 100000 --kernel i2_s.group128.scalar")]
pub(super) struct FuzzArgs {
    /// End after so many cases [default: 20000, unless --time is given]
    #[arg(long, value_name = "N")]
    cases: Option<u64>,
    /// End after so many seconds, or a time such as 30s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    time: Option<std::time::Duration>,
    /// Seed of all cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Index of the first case
    #[arg(long, default_value_t = 0, value_name = "INDEX")]
    start: u64,
    /// Try the i-th of every n cases
    #[arg(long, value_name = "i/n", default_value_t)]
    shard: Shard,
    #[command(flatten)]
    receipt: ReceiptOption,
    /// Where to write what was found
    #[arg(long, value_name = "DIR", default_value = "corpus/regressions")]
    out: PathBuf,
    #[command(flatten)]
    oracles: OracleSelection,
    #[command(flatten)]
    kernels: KernelSelection,
}

/// What a campaign came to.
pub(super) struct Fuzzed {
    summary: Summary,
    /// Of each finding.
    files: Vec<PathBuf>,
    not_available: Vec<String>,
    /// If it was asked for, and the work was done.
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
        not_available,
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
    for reason in not_available {
        writeln!(out.text(), "skipped: {reason}")?;
    }
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
                n => out.nothing_compared(format!("no two sides are defined on any of {n} cases")),
            }
            not_available
                .iter()
                .for_each(|reason| out.nothing_compared(reason));
            Exit::NothingCompared
        }
        _ => Exit::Agreement,
    })
}

/// Runs the campaign until `limit`, writes its findings, and makes a receipt of it if one is wanted.
///
/// # Errors
///
/// [`CliError`] if there is nothing to compare, or if a finding cannot be written.
pub(super) fn fuzz(args: &FuzzArgs, limit: Limit, wants_receipt: bool) -> Result<Fuzzed, CliError> {
    let recorder = Recorder::start();
    let candidates = args.kernels.candidates()?;
    let oracles = args.oracles.load()?;
    let mut not_available = oracles.skipped;
    let mut can_run = Vec::new();
    for candidate in candidates {
        match kernel::by_id(candidate.side.id()).map(|kernel| kernel.availability()) {
            Some(Ok(())) => can_run.push(candidate),
            Some(Err(missing)) => not_available.push(format!("{}: {missing}", candidate.side.id())),
            None => {}
        }
    }
    let sides = Sides {
        references: oracles.references,
        candidates: can_run,
        engines: Vec::new(),
    };
    let campaign = Campaign {
        sides: &sides,
        seed: args.seed,
        start: args.start,
        shard: args.shard,
        limit,
    };
    let progress = style::progress();
    progress.set_message("fuzz");
    let mut summary = campaign.run(&progress)?;
    let mut examinations = Examinations::new(&sides);
    let mut files = Vec::new();
    for (index, case, difference) in &mut summary.findings {
        let Difference {
            candidate,
            reference,
            finding,
        } = difference;
        finding.cause = examinations.of_case(finding, candidate, reference, case);
        finding.input = Some(CaseRecord::from(&*case));
        let story = format!(
            "{} against {}, shrunk from case {index} of seed {}",
            difference.candidate, difference.reference, args.seed
        );
        files.push(Regression::new(story, case, Some(difference)).write(&args.out)?);
    }
    let mut receipt = None;
    if wants_receipt && !interrupt::asked() {
        let ids = oracle_ids(&sides.references);
        let run = recorder.finish(Section::Fuzz, args.shard, None, ids, Vec::new());
        let section = FuzzSection::new(
            args.parameters(),
            args.shard,
            &summary,
            &files,
            not_available.clone(),
        );
        let infos = oracle_infos(&sides.references);
        receipt = Some(Receipt::new(run, Work::Fuzz(section), None, infos)?);
    }
    Ok(Fuzzed {
        summary,
        files,
        not_available,
        receipt,
    })
}

impl FuzzArgs {
    /// An error if the cases have no index.
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
