//! Section of the verdict: main numbers, failures, missing shards and skips.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Found;
use super::{is_bad, join, several};
use crate::levels::Level;
use crate::outcome::Omission;
use crate::receipt::{Receipt, Section as Work, Shards, Skip};
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Rows, Section, Tile};
use crate::verdict::Verdict;
use crate::wording::{count, or_dash, percent};

/// Verdict over all current receipts.
pub(super) fn overall(collection: &Collection) -> Verdict {
    let sections = Work::ALL.into_iter().flat_map(|work| {
        let receipts = collection.current(work);
        receipts.filter_map(move |receipt| receipt.harness.verdict_of(work))
    });
    Verdict::overall(sections)
}

/// The verdict as a sentence.
pub(super) fn lead(collection: &Collection, verdict: Verdict) -> Line {
    let words = match verdict {
        Verdict::Exact => {
            "Everything that was compared agrees: bit for bit with the reference build, and within the noise floor \
             with other builds."
        }
        Verdict::WithinNoiseFloor => {
            "Everything that was compared agrees within the noise floor between builds of the oracle."
        }
        Verdict::KnownDivergence => "All differences are known divergences.",
        Verdict::Skipped => "Nothing was compared. This is not agreement.",
        Verdict::Unsupported => {
            "Nothing was compared, because a participant does not support it. This is not agreement."
        }
        Verdict::Divergent => "At least one section failed.",
    };
    let line = Line::text(words);
    let missing = missing(collection).len();
    let line = match missing {
        0 => line,
        n => line.and(format!(" Missing: {} of the work.", several(n, "shard"))),
    };
    if is_bad(verdict) {
        line.and(" See ")
            .and_link("Findings", super::findings::ID)
            .and(".")
    } else {
        line
    }
}

/// The section at the top: the main numbers, the failures, the missing shards and the skips.
pub(super) fn section(collection: &Collection, findings: &[Found<'_>]) -> Section {
    let mut blocks = vec![Block::Tiles(tiles(collection, findings))];
    let failed = failures(collection);
    if failed.is_empty() {
        blocks.push(Block::text("Nothing failed."));
    }
    for (heading, lines) in [("Failed", failed), ("Missing", missing(collection))] {
        if !lines.is_empty() {
            blocks.push(Block::Heading(format!("{heading}: {}", lines.len())));
            blocks.push(Block::List(lines));
        }
    }
    blocks.extend(skips(collection));
    super::section("verdict", "Verdict", blocks)
}

fn tiles(collection: &Collection, findings: &[Found<'_>]) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for work in Work::ALL {
        let receipts: Vec<&Receipt> = collection.current(work).collect();
        if receipts.is_empty() {
            continue;
        }
        let verdicts = receipts.iter();
        let verdicts = verdicts.filter_map(|receipt| receipt.harness.verdict_of(work));
        tiles.push(Tile {
            label: label(work).into(),
            figure: Verdict::overall(verdicts).into(),
            note: note(work, &receipts).into(),
        });
    }
    let skips = all_skips(collection).map(|skip| skip.count);
    let omitted: u64 = skips.fold(0, u64::saturating_add);
    tiles.push(Tile {
        label: "Findings".into(),
        figure: Line::default().and_strong(count(findings.len() as u64)),
        note: format!("and {} omitted", several(omitted as usize, "comparison")).into(),
    });
    tiles
}

/// Title of a section of receipts.
pub(super) fn label(work: Work) -> &'static str {
    match work {
        Work::Check => "Levels",
        Work::Fuzz => "Random cases",
        Work::Mutants => "Mutants",
        Work::Bench => "Kernel times",
        Work::BenchModel => "Model times",
    }
}

fn note(work: Work, receipts: &[&Receipt]) -> String {
    let sections = || receipts.iter().map(|receipt| &receipt.harness);
    let fuzz = || sections().filter_map(|harness| harness.fuzz.as_ref());
    let mutants = || sections().filter_map(|harness| harness.mutants.as_ref());
    let sum = |all: &mut dyn Iterator<Item = u64>| count(all.fold(0, u64::saturating_add));
    match work {
        Work::Check => {
            let checks = sections().flat_map(|harness| &harness.check);
            let levels = checks.flat_map(|check| &check.levels);
            let compared = sum(&mut levels.map(|report| report.measures.comparisons));
            format!(
                "{}, {compared} comparisons",
                several(receipts.len(), "check")
            )
        }
        Work::Fuzz => {
            let cases = sum(&mut fuzz().map(|fuzz| fuzz.cases));
            let known = sum(&mut fuzz().map(|fuzz| fuzz.known_divergences));
            format!("{cases} cases, {known} known divergences")
        }
        Work::Mutants => {
            let caught = sum(&mut mutants().map(|all| all.caught));
            let planted = sum(&mut mutants().map(|all| all.planted));
            format!("{caught} of {planted} caught")
        }
        Work::Bench | Work::BenchModel => super::speed::slowest(receipts, work),
    }
}

/// The failed sections with their reasons.
fn failures(collection: &Collection) -> Vec<Line> {
    let mut failures = Vec::new();
    for work in Work::ALL {
        for receipt in collection.current(work) {
            let verdict = receipt.harness.verdict_of(work).unwrap_or(Verdict::Skipped);
            if !is_bad(verdict) {
                continue;
            }
            let line = Line::default().and_strong(label(work));
            let line = match receipt.model_of(work) {
                model if model.is_empty() => line,
                model => line.and(" on ").and_code(model),
            };
            failures.push(line.and(": ").and(reason(receipt, work)));
        }
    }
    failures
}

fn reason(receipt: &Receipt, work: Work) -> String {
    let harness = &receipt.harness;
    match work {
        Work::Check => {
            const SHOWN: usize = 3;
            let pairs = || harness.outcomes().filter(|o| is_bad(o.verdict));
            let shown = pairs().take(SHOWN).map(|outcome| {
                let (level, candidate) = (outcome.level, &outcome.candidate);
                let (reference, m) = (&outcome.reference, &outcome.measures);
                let share = percent(m.mismatches as f64 / m.comparisons.max(1) as f64);
                let differ = count(m.mismatches);
                format!(
                    "level {level}: {candidate} against {reference} differs in {differ} ({share})"
                )
            });
            let more = pairs().count().saturating_sub(SHOWN);
            let more = (more > 0).then(|| format!("and {more} more"));
            join(shown.chain(more), "; ")
        }
        Work::Fuzz => {
            let findings = harness.fuzz.as_ref().map_or(0, |fuzz| fuzz.findings.len());
            several(findings, "finding")
        }
        Work::Mutants => {
            let survived = harness.mutants.as_ref();
            let survived = survived.map_or(0, |all| all.planted.saturating_sub(all.caught));
            format!("{} survived", several(survived as usize, "mutant"))
        }
        Work::Bench => "the products of a kernel differ from those of an oracle".into(),
        Work::BenchModel => "the logits differ from those of an oracle".into(),
    }
}

/// Missing shards, each with its section and model.
fn missing(collection: &Collection) -> Vec<Line> {
    let mut held: BTreeMap<(Work, String, u64), BTreeSet<u64>> = BTreeMap::new();
    for work in Work::ALL {
        for receipt in collection.current(work) {
            let sections = receipt.harness.sections();
            for (_, shards) in sections.filter(|(section, _)| *section == work) {
                let key = (work, receipt.model_of(work), shards.count);
                held.entry(key).or_default().extend(shards.held);
            }
        }
    }
    let mut missing = Vec::new();
    for ((work, model, count), held) in held {
        for shard in Shards::new(count, held).missing() {
            let line = Line::text(format!("{work} {shard}"));
            missing.push(if model.is_empty() {
                line
            } else {
                line.and(" of ").and_code(&model)
            });
        }
    }
    missing
}

fn all_skips(collection: &Collection) -> impl Iterator<Item = &Skip> {
    let receipts = collection.receipts();
    receipts.flat_map(|receipt| &receipt.harness.skips)
}

/// Omissions, counted by reason.
fn skips(collection: &Collection) -> Option<Block> {
    let mut counts: BTreeMap<(Work, Option<&str>, &Omission), u64> = BTreeMap::new();
    for skip in all_skips(collection) {
        let level = skip.level.map(Level::name);
        let key = (skip.section, level, &skip.omission);
        let sum = counts.entry(key).or_default();
        *sum = sum.saturating_add(skip.count);
    }
    let counts: Vec<_> = counts.into_iter().collect();
    let table = Rows::new("Omitted (never counts as agreement)", &counts)
        .column("section", |((work, ..), _)| work.name())
        .column("level", |((_, level, _), _)| {
            or_dash(*level, |level| level.to_string())
        })
        .column("kind", |((.., omission), _)| omission.kind.name())
        .column("reason", |((.., omission), _)| omission.to_string())
        .column("count#", |(_, n)| count(*n));
    (!counts.is_empty()).then(|| table.block())
}
