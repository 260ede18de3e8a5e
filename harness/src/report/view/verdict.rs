//! Section of the verdict: main numbers, failures, missing shards and skips.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Found;
use super::{is_bad, several};
use crate::receipt::{Receipt, Section as Work, Shards};
use crate::report::collection::{Collection, model_of};
use crate::report::page::{Block, Line, Section, Table, Tile};
use crate::verdict::Verdict;
use crate::wording::{count, percent};

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

/// The main numbers, the failures, the missing shards and the skips.
fn blocks(collection: &Collection, findings: &[Found<'_>]) -> Vec<Block> {
    let mut blocks = vec![Block::Tiles(tiles(collection, findings))];
    let failed: Vec<Line> = failures(collection);
    if failed.is_empty() {
        blocks.push(Block::Text(Line::text("Nothing failed.")));
    } else {
        blocks.push(Block::Heading(format!("Failed: {}", failed.len())));
        blocks.push(Block::List(failed));
    }
    let missing = missing(collection);
    if !missing.is_empty() {
        blocks.push(Block::Heading(format!("Missing: {}", missing.len())));
        blocks.push(Block::List(missing));
    }
    blocks.extend(skips(collection));
    blocks
}

/// The section at the top.
pub(super) fn section(collection: &Collection, findings: &[Found<'_>]) -> Section {
    let blocks = blocks(collection, findings);
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
            note: Line::text(note(work, &receipts)),
        });
    }
    let skipped: u64 = collection
        .receipts()
        .flat_map(|receipt| &receipt.harness.skips)
        .fold(0, |sum, skip| sum.saturating_add(skip.count));
    tiles.push(Tile {
        label: "Findings".into(),
        figure: Line::default().and_strong(count(findings.len() as u64)),
        note: Line::text(format!(
            "and {} skipped",
            several(skipped as usize, "comparison")
        )),
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
    let sum = |of: &dyn Fn(&Receipt) -> u64| {
        let all = receipts.iter().map(|receipt| of(receipt));
        all.fold(0, u64::saturating_add)
    };
    match work {
        Work::Check => {
            let compared = sum(&|receipt| {
                let levels = receipt.harness.check.iter().flat_map(|check| &check.levels);
                levels
                    .map(|report| report.measures.comparisons)
                    .fold(0, u64::saturating_add)
            });
            format!(
                "{}, {} comparisons",
                several(receipts.len(), "check"),
                count(compared)
            )
        }
        Work::Fuzz => {
            let cases = sum(&|receipt| receipt.harness.fuzz.as_ref().map_or(0, |fuzz| fuzz.cases));
            let known = sum(&|receipt| {
                let fuzz = receipt.harness.fuzz.as_ref();
                fuzz.map_or(0, |fuzz| fuzz.known_divergences)
            });
            format!("{} cases, {} known divergences", count(cases), count(known))
        }
        Work::Mutants => {
            let of = |field: fn(&crate::receipt::MutantsSection) -> u64| {
                sum(&|receipt| receipt.harness.mutants.as_ref().map_or(0, field))
            };
            format!(
                "{} of {} caught",
                count(of(|all| all.caught)),
                count(of(|all| all.planted))
            )
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
            let line = match model_of(receipt, work) {
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
            let pairs = harness.outcomes().filter(|o| is_bad(o.verdict));
            let pairs: Vec<String> = pairs
                .map(|outcome| {
                    let share = outcome.measures.mismatches as f64
                        / outcome.measures.comparisons.max(1) as f64;
                    format!(
                        "level {}: {} against {} differs in {} ({})",
                        outcome.level,
                        outcome.candidate,
                        outcome.reference,
                        count(outcome.measures.mismatches),
                        percent(share)
                    )
                })
                .collect();
            const SHOWN: usize = 3;
            let more = pairs.len().saturating_sub(SHOWN);
            let shown = pairs[..pairs.len().min(SHOWN)].join("; ");
            if more == 0 {
                shown
            } else {
                format!("{shown}; and {more} more")
            }
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
                let key = (work, model_of(receipt, work), shards.count);
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

/// Omissions, counted by reason.
fn skips(collection: &Collection) -> Option<Block> {
    let mut counts: BTreeMap<(Work, String, &str), u64> = BTreeMap::new();
    for skip in collection
        .receipts()
        .flat_map(|receipt| &receipt.harness.skips)
    {
        let level = skip.level.map_or(String::new(), |level| level.to_string());
        let key = (skip.section, level, skip.reason.as_str());
        let sum = counts.entry(key).or_default();
        *sum = sum.saturating_add(skip.count);
    }
    let caption = "Skipped (never counts as agreement)";
    let mut table = Table::new(caption, &["section", "level", "reason", "count#"]);
    for ((work, level, reason), n) in counts {
        let level = if level.is_empty() { "-".into() } else { level };
        table.row([
            Line::text(work.name()),
            Line::text(level),
            Line::text(reason),
            Line::text(count(n)),
        ]);
    }
    (!table.rows.is_empty()).then(|| table.block())
}
