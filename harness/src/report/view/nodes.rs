//! Section of the nodes: distances of candidate and oracle in each node of a model's graph, in the order of
//! computation.

use std::collections::BTreeMap;

use super::{figure, layers, outcomes, relative_distance, several};
use crate::levels::Level;
use crate::measure::Measures;
use crate::outcome::{NodeSummary, Outcome};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Figure, Line, Section, Table};
use crate::report::plot::{Axis, Measured, PlotRow, draw_rows};
use crate::verdict::Verdict;
use crate::wording::{count, measure, or_dash};

/// Maximal number of models that are drawn, the worst first. The table has all.
const DRAWN: usize = 12;
/// Number of models whose drawings are not folded.
const SHOWN: usize = 2;

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut models: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for (model, outcome) in outcomes(collection).filter(|(_, o)| o.level == Level::Node) {
        models.entry(model).or_default().push(outcome);
    }
    let title = "Divergence along the layers";
    if models.is_empty() {
        let words = "No receipt contains level node.";
        return Ok(super::section(
            "nodes",
            title,
            vec![Block::Text(Line::text(words))],
        ));
    }
    let compared = models
        .values()
        .flatten()
        .filter(|o| o.measures.comparisons > 0);
    let (exact, apart): (Vec<&Outcome>, Vec<&Outcome>) =
        compared.partition(|o| o.measures.identical());
    let words = format!(
        "Of {} of a model with an oracle, {} identical in every node of every layer, and {} not. Only the latter are \
         drawn.",
        several(exact.len() + apart.len(), "comparison"),
        are(exact.len()),
        are(apart.len())
    );
    let mut blocks = vec![Block::Text(Line::text(words)), table(&models).block()];
    let mut drawn: Vec<(&String, Vec<&Outcome>)> = models
        .iter()
        .map(|(model, outcomes)| {
            let apart = outcomes
                .iter()
                .copied()
                .filter(|o| o.measures.mismatches > 0);
            (model, apart.collect::<Vec<_>>())
        })
        .filter(|(_, apart)| apart.iter().any(|o| !o.nodes.is_empty()))
        .collect();
    drawn.sort_by(|a, b| {
        worst(&b.1)
            .total_cmp(&worst(&a.1))
            .then_with(|| a.0.cmp(b.0))
    });
    let left_out = drawn.len().saturating_sub(DRAWN);
    drawn.truncate(DRAWN);
    let more = drawn.split_off(drawn.len().min(SHOWN));
    for (model, outcomes) in &drawn {
        blocks.extend(of_model(model, outcomes)?);
    }
    if !more.is_empty() {
        let summary = Line::text(format!("{} more", several(more.len(), "model")));
        let mut folded = Vec::new();
        for (model, outcomes) in &more {
            folded.extend(of_model(model, outcomes)?);
        }
        blocks.push(Block::Fold {
            summary,
            blocks: folded,
        });
    }
    if left_out > 0 {
        let words = format!(
            "{} with smaller differences: only in the table.",
            several(left_out, "model")
        );
        blocks.push(Block::Text(Line::text(words)));
    }
    Ok(super::section("nodes", title, blocks))
}

/// The figures and the table of one model: by layer, and by kind of node.
fn of_model(model: &str, outcomes: &[&Outcome]) -> Result<Vec<Block>, ReportError> {
    let along = layers::draw(model, outcomes)?;
    let figures = along.into_iter().chain([draw(model, outcomes)?]).collect();
    let table = layers::table(model, outcomes).map(Table::block);
    Ok([Block::Figures(figures)].into_iter().chain(table).collect())
}

fn are(n: usize) -> String {
    match n {
        1 => "1 is".into(),
        n => format!("{n} are"),
    }
}

/// The largest nmse, or infinity if an outcome is divergent. Models are sorted by it.
fn worst(outcomes: &[&Outcome]) -> f64 {
    let far = |outcome: &&Outcome| match outcome.verdict {
        Verdict::Divergent => f64::INFINITY,
        _ => outcome.measures.nmse.unwrap_or(f64::INFINITY),
    };
    outcomes.iter().map(far).fold(0.0, f64::max)
}

fn table(models: &BTreeMap<String, Vec<&Outcome>>) -> Table {
    let headings = [
        "model",
        "oracle",
        "graph by",
        "verdict",
        "nodes#",
        "identical#",
        "first kind that differs",
        "worst nmse#",
        "max ULP#",
    ];
    let mut table = Table::new("Nodes of each model", &headings);
    for (model, outcomes) in models {
        for outcome in outcomes {
            let sum = |of: fn(&NodeSummary) -> u64| {
                count(outcome.nodes.iter().map(of).fold(0, u64::saturating_add))
            };
            let first = outcome
                .nodes
                .iter()
                .find(|node| node.measures.mismatches > 0);
            let nmse = outcome.nodes.iter().filter_map(|node| node.measures.nmse);
            table.row([
                Line::code(model),
                Line::code(&outcome.reference),
                Line::text(outcome.graph.as_deref().unwrap_or("-")),
                outcome.verdict.into(),
                Line::text(sum(|node| node.nodes)),
                Line::text(sum(|node| node.identical)),
                first.map_or(Line::text("none"), |node| Line::code(&node.kind)),
                Line::text(measure(nmse.fold(0.0, f64::max))),
                Line::text(or_dash(outcome.measures.max_ulp, count)),
            ]);
        }
    }
    table
}

/// A figure with a row for each kind of node and a mark for each oracle.
fn draw(model: &str, outcomes: &[&Outcome]) -> Result<Figure, ReportError> {
    let longest = outcomes.iter().max_by_key(|outcome| outcome.nodes.len());
    let kinds = longest.map_or(&[][..], |outcome| &outcome.nodes);
    let far = |outcome: &Outcome, kind: &NodeSummary| {
        let key = |node: &NodeSummary| (node.kind.clone(), node.layers.is_empty());
        let node = outcome.nodes.iter().find(|node| key(node) == key(kind))?;
        let Measures {
            mismatches,
            non_finite,
            nmse,
            ..
        } = node.measures;
        Some(Measured {
            // A difference without a distance is drawn at 1.
            value: relative_distance(mismatches, non_finite, nmse).unwrap_or(1.0),
            interval: None,
        })
    };
    let rows: Vec<PlotRow> = kinds
        .iter()
        .map(|node| PlotRow {
            label: match &node.op {
                Some(op) => format!("{} ({op})", node.kind),
                None => node.kind.clone(),
            },
            marks: outcomes.iter().map(|outcome| far(outcome, node)).collect(),
        })
        .collect();
    let series: Vec<String> = outcomes
        .iter()
        .map(|outcome| outcome.reference.clone())
        .collect();
    let of = |outcome: &&Outcome| {
        let differ = outcome
            .nodes
            .iter()
            .filter(|node| node.measures.mismatches > 0);
        format!(
            "{}: {} of {} kinds of node differ",
            outcome.reference,
            differ.count(),
            outcome.nodes.len()
        )
    };
    let words: Vec<String> = outcomes.iter().map(of).collect();
    let axis = "relative distance: root of the normalised mean square error, over all layers";
    figure(
        format!("{model}: kinds of node in the order of computation"),
        format!("{}.", words.join("; ")),
        draw_rows(&series, &rows, Axis::Distance, axis),
    )
}
