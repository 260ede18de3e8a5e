//! What it all comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Found;
use super::{is_bad, several};
use crate::receipt::{Receipt, Section as Work, Shards};
use crate::report::collection::{Collection, model_of};
use crate::report::page::{Block, Line, Section, Table, Tile};
use crate::verdict::Verdict;
use crate::wording::{count, percent};

/// The verdict over everything current.
pub(super) fn overall(collection: &Collection) -> Verdict {
    let sections = Work::ALL.into_iter().flat_map(|work| {
        let receipts = collection.current(work);
        receipts.filter_map(move |receipt| receipt.harness.verdict_of(work))
    });
    Verdict::overall(sections)
}

/// The verdict in a sentence.
pub(super) fn lead(collection: &Collection, verdict: Verdict) -> Line {
    let words = match verdict {
        Verdict::Exact => {
            "Everything that was compared agrees: to the bit with the reference build, and within its \
                           noise with the other builds."
        }
        Verdict::WithinNoiseFloor => {
            "Everything that was compared agrees as nearly as two builds of the reference do."
        }
        Verdict::KnownDivergence => {
            "All that differs is known, and stands in the list of known divergences."
        }
        Verdict::Skipped => "Nothing was compared, which is no agreement.",
        Verdict::Unsupported => {
            "What was to be compared was not, since a participant does not do it; this is no agreement."
        }
        Verdict::Divergent => "Something differs.",
    };
    let line = Line::text(words);
    let missing = missing(collection).len();
    let line = match missing {
        0 => line,
        n => line.and(format!(" {} of the work missing.", several(n, "part"))),
    };
    if is_bad(verdict) {
        line.and(" See ")
            .and_link("what differs", super::findings::ID)
            .and(".")
    } else {
        line
    }
}

/// Sections at a glance, what failed, what is missing, what was skipped.
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

/// What a section is about, in words.
pub(super) fn label(work: Work) -> &'static str {
    match work {
        Work::Check => "Ladder",
        Work::Fuzz => "Random cases",
        Work::Mistakes => "Planted mistakes",
        Work::Bench => "Kernels, timed",
        Work::BenchModel => "Models, timed",
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
                let rungs = receipt.harness.check.iter().flat_map(|check| &check.rungs);
                rungs
                    .map(|report| report.measures.comparisons)
                    .fold(0, u64::saturating_add)
            });
            format!(
                "{}, {} comparisons held to identity",
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
        Work::Mistakes => {
            let of = |field: fn(&crate::receipt::MistakesSection) -> u64| {
                sum(&|receipt| receipt.harness.mistakes.as_ref().map_or(0, field))
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

/// What failed, each section with its reason.
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
                        "rung {}: {} against {} differs in {} ({})",
                        outcome.rung,
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
        Work::Mistakes => {
            let survived = harness.mistakes.as_ref();
            let survived = survived.map_or(0, |all| all.planted.saturating_sub(all.caught));
            format!("{} survived", several(survived as usize, "mistake"))
        }
        Work::Bench => "a kernel and an oracle compute different products".into(),
        Work::BenchModel => "other logits than an oracle's".into(),
    }
}

/// Shards that nobody gave, each with its section and model.
fn missing(collection: &Collection) -> Vec<Line> {
    let mut held: BTreeMap<(Work, String, u64), BTreeSet<u64>> = BTreeMap::new();
    for work in Work::ALL {
        for receipt in collection.current(work) {
            let sections = receipt.harness.sections().into_iter();
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

/// What did not take part, counted by reason.
fn skips(collection: &Collection) -> Option<Block> {
    let mut counts: BTreeMap<(Work, String, &str), u64> = BTreeMap::new();
    for skip in collection
        .receipts()
        .flat_map(|receipt| &receipt.harness.skips)
    {
        let rung = skip.rung.map_or(String::new(), |rung| rung.to_string());
        let key = (skip.section, rung, skip.reason.as_str());
        let sum = counts.entry(key).or_default();
        *sum = sum.saturating_add(skip.count);
    }
    let caption = "Skipped, which never counts as agreement";
    let mut table = Table::new(caption, &["section", "rung", "reason", "count#"]);
    for ((work, rung, reason), n) in counts {
        let rung = if rung.is_empty() { "-".into() } else { rung };
        table.row([
            Line::text(work.name()),
            Line::text(rung),
            Line::text(reason),
            Line::text(count(n)),
        ]);
    }
    (!table.rows.is_empty()).then(|| table.block())
}
