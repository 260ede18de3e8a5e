//! Section of the levels by kernel: the compared pairs of each level, with verdicts and measures.

use std::collections::{BTreeMap, BTreeSet};

use super::{checks, outcomes, several, short};
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::Outcome;
use crate::receipt::{self, CheckSection, ModelInfo, Receipt};
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Rows, Section};
use crate::verdict::Verdict;
use crate::wording::{count, measure, or_dash};

/// The outcomes of a candidate by level and oracle, over all models.
type Pairs<'a> = BTreeMap<(Level, &'a str), Vec<(String, &'a Outcome)>>;

/// The overall verdict, and the worst of each measure if values were compared.
fn overall(outcomes: &[&(String, &Outcome)]) -> (Verdict, Option<Measures>) {
    let measures = outcomes.iter().map(|(_, outcome)| outcome.measures);
    let compared = measures.filter(|measures| measures.comparisons > 0);
    let verdicts = outcomes.iter().map(|(_, outcome)| outcome.verdict);
    (Verdict::overall(verdicts), compared.reduce(Measures::worst))
}

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let mut candidates: BTreeMap<&str, Pairs<'_>> = BTreeMap::new();
    for (model, outcome) in outcomes(collection) {
        let pairs = candidates.entry(&outcome.candidate).or_default();
        let pair = pairs
            .entry((outcome.level, &outcome.reference))
            .or_default();
        pair.push((model, outcome));
    }
    let candidates: Vec<(&str, Pairs<'_>)> = candidates.into_iter().collect();
    let blocks = if candidates.is_empty() {
        vec![Block::text("No receipt contains a check.")]
    } else {
        let words = "Every kernel, and the forward pass of the Rust implementation, against every oracle. Results must \
                     be identical to those of the reference build, and within the noise floor of other builds.";
        let pairs = candidates.iter().map(|(_, pairs)| pairs.len()).sum();
        let summary = format!("{} with all measures, by candidate", several(pairs, "pair"));
        vec![
            Block::text(words),
            overview(&candidates),
            models(collection),
            Block::fold(summary, candidates.iter().map(details).collect()),
        ]
    };
    super::section("levels", "Levels by kernel", blocks)
}

/// A row for each candidate, a column for each level.
fn overview(candidates: &[(&str, Pairs<'_>)]) -> Block {
    let keys = candidates.iter().flat_map(|(_, pairs)| pairs.keys());
    let levels: BTreeSet<Level> = keys.map(|(level, _)| *level).collect();
    let caption = "Verdict and comparisons of each candidate, over all oracles and models";
    let mut rows = Rows::new(caption, candidates).column("candidate", |(id, _)| Line::code(id));
    for level in levels {
        rows = rows.column(level.name(), |(_, pairs)| {
            let of_level = pairs.iter().filter(|((known, _), _)| *known == level);
            let outcomes: Vec<_> = of_level.flat_map(|(_, outcomes)| outcomes).collect();
            if outcomes.is_empty() {
                return Line::text("-");
            }
            let (verdict, measures) = overall(&outcomes);
            let compared = or_dash(measures, |measures| count(measures.comparisons));
            Line::from(verdict).and(format!(" {compared}"))
        });
    }
    rows.unfolded()
}

/// A row for each model.
fn models(collection: &Collection) -> Block {
    type Check<'a> = (&'a Receipt, &'a CheckSection);
    let checks: Vec<Check<'_>> = checks(collection).collect();
    let info = |(receipt, _): &Check<'_>, words: fn(&ModelInfo) -> String| {
        or_dash(receipt.model_info.as_ref(), words)
    };
    Rows::new("Models", &checks)
        .column("model", |(r, _)| {
            Line::code(r.model_of(receipt::Section::Check))
        })
        .column("verdict", |(_, check)| check.verdict)
        .column("architecture", |(receipt, _)| {
            let info = receipt.model_info.as_ref();
            or_dash(info.and_then(|info| info.architecture.clone()), |name| name)
        })
        .column("ternary tensors#", |check| {
            info(check, |info| count(info.tensors.len() as u64))
        })
        .column("bytes#", |check| info(check, |info| count(info.bytes)))
        .column("SHA-256", |(receipt, _)| match &receipt.model_info {
            Some(info) => Line::code(short(&info.sha256)),
            None => Line::text("-"),
        })
        .column("tokens#", |(_, check)| {
            let decoding = check.inference.as_ref().and_then(|i| i.decoding.as_ref());
            or_dash(decoding, |decoding| count(decoding.tokens.len() as u64))
        })
        .block()
}

/// All pairs of a candidate, folded.
fn details((candidate, pairs): &(&str, Pairs<'_>)) -> Block {
    let rows = pairs.iter().map(|((level, reference), outcomes)| {
        let models: BTreeSet<&str> = outcomes.iter().map(|(model, _)| model.as_str()).collect();
        let (verdict, measures) = overall(&outcomes.iter().collect::<Vec<_>>());
        (level, reference, verdict, models.len(), measures)
    });
    let rows: Vec<_> = rows.collect();
    let summary = Line::code(candidate).and(format!(": {}", several(rows.len(), "pair")));
    let caption = format!("{candidate}: the worst of each measure");
    let mut table = Rows::new(caption, &rows)
        .column("level", |(level, ..)| level.name())
        .column("oracle", |(_, reference, ..)| Line::code(reference))
        .column("verdict", |(_, _, verdict, ..)| *verdict)
        .column("models#", |(.., models, _)| count(*models as u64));
    type Column = (&'static str, fn(Measures) -> String);
    let measures: [Column; 6] = [
        ("compared#", |m| count(m.comparisons)),
        ("differ#", |m| count(m.mismatches)),
        ("lowest cosine#", |m| or_dash(m.cosine_similarity, measure)),
        ("nmse#", |m| or_dash(m.nmse, measure)),
        ("max abs#", |m| or_dash(m.max_abs, measure)),
        ("max ULP#", |m| or_dash(m.max_ulp, count)),
    ];
    for (heading, words) in measures {
        table = table.column(heading, |(.., measures)| or_dash(*measures, words));
    }
    Block::fold(summary, vec![table.unfolded()])
}
