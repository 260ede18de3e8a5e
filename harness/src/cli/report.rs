//! `harness report`: writes a report of receipts as a web page.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{CliError, Output, style};
use crate::destination::{DestinationError, Destinations};
use crate::exit::Exit;
use crate::report::{Collection, ReportError, html, markdown, page_of};
use crate::verdict::Verdict;

/// Write a report of receipts as a self-contained HTML file and as Markdown
///
/// Receipts are files, or folders with `*.json` at any depth. All are verified before anything is written. If several
/// receipts hold the same work, the newest one counts, and the others appear in the trend. The exit code reports
/// whether the report was written, not the verdicts in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness report receipt.json -o report
  harness report check.json fuzz.json bench.json -o report
  harness report reports/nightly -o trend")]
pub(super) struct ReportArgs {
    /// Receipts or folders of receipts
    #[arg(required = true, value_name = "RECEIPT")]
    paths: Vec<PathBuf>,
    /// Folder for index.html and report.md
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub(super) fn run(args: &ReportArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    let written = report(&args.paths, &args.output)?;
    let (receipts, verdict) = (written.receipts, style::verdict(written.verdict));
    let plural = if receipts == 1 { "" } else { "s" };
    writeln!(out.text(), "{receipts} receipt{plural}, verdict {verdict}")?;
    for file in &written.files {
        writeln!(out.text(), "{}", file.display())?;
    }
    out.document(|| written)?;
    Ok(Exit::Agreement)
}

/// JSON output: the written report.
#[derive(Serialize)]
pub(super) struct Written {
    receipts: usize,
    verdict: Verdict,
    files: Vec<PathBuf>,
}

/// Writes the report of these receipts to a folder, which is created if missing.
///
/// # Errors
///
/// [`ReportError`]. Nothing is written if a receipt is invalid.
pub(super) fn report(paths: &[PathBuf], folder: &Path) -> Result<Written, ReportError> {
    Destinations::folder(folder)?;
    let mut destinations = Destinations::of_reading(paths);
    let collection = Collection::read(paths)?;
    let page = page_of(&collection)?;
    let texts = [html::write(&page)?, markdown::write(&page)];
    fs::create_dir_all(folder).map_err(|source| DestinationError::Write {
        path: folder.into(),
        source,
    })?;
    let mut files = Vec::new();
    for (name, text) in ["index.html", "report.md"].into_iter().zip(texts) {
        files.push(folder.join(name));
        destinations.file(&folder.join(name))?.write_text(&text)?;
    }
    Ok(Written {
        receipts: collection.points().len(),
        verdict: page.verdict,
        files,
    })
}
