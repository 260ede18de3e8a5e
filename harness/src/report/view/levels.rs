//! Section of the levels by kernel: the compared pairs of each level, with verdicts and measures.

use std::collections::{BTreeMap, BTreeSet};

use super::{checks, outcomes, several};
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::Outcome;
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Section, Table};
use crate::verdict::Verdict;
use crate::wording::{count, measure, or_dash};

/// Outcomes of the same level and candidate, over all models.
#[derive(Default)]
struct Pairs {
    models: BTreeSet<String>,
    verdicts: Vec<Verdict>,
    measures: Option<Measures>,
}

impl Pairs {
    fn add(&mut self, model: &str, outcome: &Outcome) {
        self.models.insert(model.into());
        self.verdicts.push(outcome.verdict);
        if outcome.measures.comparisons > 0 {
            self.measures = Some(match self.measures {
                Some(known) => known.worst(outcome.measures),
                None => outcome.measures,
            });
        }
    }

    fn verdict(&self) -> Verdict {
        Verdict::overall(self.verdicts.iter().copied())
    }

    fn compared(&self) -> String {
        self.measures
            .map_or("-".into(), |measures| count(measures.comparisons))
    }
}

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let mut by_level: BTreeMap<(String, Level), Pairs> = BTreeMap::new();
    let mut by_pair: BTreeMap<(String, Level, String), Pairs> = BTreeMap::new();
    for (model, outcome) in outcomes(collection) {
        let candidate = || outcome.candidate.clone();
        let level = by_level.entry((candidate(), outcome.level)).or_default();
        level.add(&model, outcome);
        let key = (candidate(), outcome.level, outcome.reference.clone());
        by_pair.entry(key).or_default().add(&model, outcome);
    }
    if by_level.is_empty() {
        let words = "No receipt contains a check.";
        return super::section(
            "levels",
            "Levels by kernel",
            vec![Block::Text(Line::text(words))],
        );
    }
    let words = "Every kernel, and the forward pass of the Rust implementation, against every oracle. Results must be \
                 identical to those of the reference build, and within the noise floor of other builds.";
    let mut blocks = vec![
        Block::Text(Line::text(words)),
        Block::Table(overview(&by_level)),
        models(collection).block(),
    ];
    blocks.push(Block::Fold {
        summary: Line::text(format!(
            "{} with all measures, by candidate",
            several(by_pair.len(), "pair")
        )),
        blocks: details(&by_pair),
    });
    super::section("levels", "Levels by kernel", blocks)
}

/// A row for each candidate, a column for each level.
fn overview(by_level: &BTreeMap<(String, Level), Pairs>) -> Table {
    let levels: BTreeSet<Level> = by_level.keys().map(|(_, level)| *level).collect();
    let candidates: BTreeSet<&String> = by_level.keys().map(|(candidate, _)| candidate).collect();
    let mut headings = vec!["candidate"];
    headings.extend(levels.iter().map(|level| level.name()));
    let mut table = Table::new(
        "Verdict and comparisons of each candidate, over all oracles and models",
        &headings,
    );
    for candidate in candidates {
        let mut row = vec![Line::code(candidate)];
        row.extend(
            levels
                .iter()
                .map(|level| match by_level.get(&(candidate.clone(), *level)) {
                    Some(pairs) => {
                        Line::from(pairs.verdict()).and(format!(" {}", pairs.compared()))
                    }
                    None => Line::text("-"),
                }),
        );
        table.row(row);
    }
    table
}

/// A row for each model.
fn models(collection: &Collection) -> Table {
    let headings = [
        "model",
        "verdict",
        "architecture",
        "ternary tensors#",
        "bytes#",
        "SHA-256",
        "tokens#",
    ];
    let mut table = Table::new("Models", &headings);
    for (receipt, check) in checks(collection) {
        let info = receipt.model_info.as_ref();
        let decoding = check.inference.as_ref().and_then(|i| i.decoding.as_ref());
        let or_none = |text: Option<String>| Line::text(text.unwrap_or("-".into()));
        table.row([
            Line::code(super::model_of(receipt, crate::receipt::Section::Check)),
            check.verdict.into(),
            or_none(info.and_then(|info| info.architecture.clone())),
            or_none(info.map(|info| count(info.tensors.len() as u64))),
            or_none(info.map(|info| count(info.bytes))),
            info.map_or(Line::text("-"), |info| {
                Line::code(info.sha256.get(..12).unwrap_or(""))
            }),
            or_none(decoding.map(|decoding| count(decoding.tokens.len() as u64))),
        ]);
    }
    table
}

/// All pairs of each candidate, folded.
fn details(by_pair: &BTreeMap<(String, Level, String), Pairs>) -> Vec<Block> {
    let candidates: BTreeSet<&String> = by_pair.keys().map(|(candidate, _, _)| candidate).collect();
    let table_of = |candidate: &String| {
        let headings = [
            "level",
            "oracle",
            "verdict",
            "models#",
            "compared#",
            "differ#",
            "lowest cosine#",
            "nmse#",
            "max abs#",
            "max ULP#",
        ];
        let mut table = Table::new(format!("{candidate}: the worst of each measure"), &headings);
        let pairs = by_pair
            .iter()
            .filter(|((known, _, _), _)| known == candidate);
        for ((_, level, reference), pairs) in pairs {
            let figures = match &pairs.measures {
                None => ["-"; 6].map(String::from),
                Some(m) => [
                    count(m.comparisons),
                    count(m.mismatches),
                    or_dash(m.cosine_similarity, measure),
                    or_dash(m.nmse, measure),
                    or_dash(m.max_abs, measure),
                    or_dash(m.max_ulp, count),
                ],
            };
            let mut row = vec![
                Line::text(level.name()),
                Line::code(reference),
                pairs.verdict().into(),
                Line::text(count(pairs.models.len() as u64)),
            ];
            row.extend(figures.map(Line::text));
            table.row(row);
        }
        table
    };
    let folded = |candidate: &String| {
        let table = table_of(candidate);
        Block::Fold {
            summary: Line::code(candidate).and(format!(": {}", several(table.rows.len(), "pair"))),
            blocks: vec![Block::Table(table)],
        }
    };
    candidates.into_iter().map(folded).collect()
}
