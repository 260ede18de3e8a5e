//! Section of the nodes: distances of candidate and oracle in each node of a model's graph, in the order of
//! computation.

use std::collections::BTreeMap;

use super::{figure, join, layers, outcomes, relative_distance, several};
use crate::levels::Level;
use crate::outcome::{NodeSummary, Outcome};
use crate::report::collection::Collection;
use crate::report::error::ReportError;
use crate::report::page::{Block, Figure, Line, Rows, Section};
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
        let blocks = vec![Block::text("No receipt contains level node.")];
        return Ok(super::section("nodes", title, blocks));
    }
    let compared = models.values().flatten();
    let compared = compared.filter(|o| o.measures.comparisons > 0);
    let (exact, apart): (Vec<&Outcome>, Vec<&Outcome>) =
        compared.partition(|o| o.measures.identical());
    let words = format!(
        "Of {} of a model with an oracle, {} identical in every node of every layer, and {} not. Only the latter are \
         drawn.",
        several(exact.len() + apart.len(), "comparison"),
        are(exact.len()),
        are(apart.len())
    );
    let mut blocks = vec![Block::text(words), table(&models)];
    let mut drawn: Vec<(&String, Vec<&Outcome>)> = Vec::new();
    for (model, outcomes) in &models {
        let apart = outcomes.iter().copied();
        drawn.push((model, apart.filter(|o| o.measures.mismatches > 0).collect()));
    }
    drawn.retain(|(_, apart)| apart.iter().any(|o| !o.nodes.is_empty()));
    // Stable: models of equal distance stay in the order of their names.
    drawn.sort_by(|a, b| worst(&b.1).total_cmp(&worst(&a.1)));
    let left_out = drawn.len().saturating_sub(DRAWN);
    drawn.truncate(DRAWN);
    let more = drawn.split_off(drawn.len().min(SHOWN));
    blocks.extend(of_models(&drawn)?);
    if !more.is_empty() {
        let summary = format!("{} more", several(more.len(), "model"));
        blocks.push(Block::fold(summary, of_models(&more)?));
    }
    if left_out > 0 {
        let models = several(left_out, "model");
        let words = format!("{models} with smaller differences: only in the table.");
        blocks.push(Block::text(words));
    }
    Ok(super::section("nodes", title, blocks))
}

/// The figures and the table of each model: by layer, and by kind of node.
fn of_models(models: &[(&String, Vec<&Outcome>)]) -> Result<Vec<Block>, ReportError> {
    let mut blocks = Vec::new();
    for (model, outcomes) in models {
        let along = layers::draw(model, outcomes)?;
        let figures = along.into_iter().chain([draw(model, outcomes)?]).collect();
        blocks.push(Block::Figures(figures));
        blocks.extend(layers::table(model, outcomes));
    }
    Ok(blocks)
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

fn table(models: &BTreeMap<String, Vec<&Outcome>>) -> Block {
    let mut rows: Vec<(&String, &Outcome)> = Vec::new();
    for (model, outcomes) in models {
        rows.extend(outcomes.iter().map(|outcome| (model, *outcome)));
    }
    let sum = |outcome: &Outcome, of: fn(&NodeSummary) -> u64| {
        count(outcome.nodes.iter().map(of).fold(0, u64::saturating_add))
    };
    Rows::new("Nodes of each model", &rows)
        .column("model", |(model, _)| Line::code(model))
        .column("oracle", |(_, outcome)| Line::code(&outcome.reference))
        .column("graph by", |(_, o)| o.graph.as_deref().unwrap_or("-"))
        .column("verdict", |(_, outcome)| outcome.verdict)
        .column("nodes#", |(_, outcome)| sum(outcome, |node| node.nodes))
        .column("identical#", |(_, o)| sum(o, |node| node.identical))
        .column("first kind that differs", |(_, outcome)| {
            let first = differing(outcome).next();
            first.map_or(Line::text("none"), |node| Line::code(&node.kind))
        })
        .column("worst nmse#", |(_, outcome)| {
            let nmse = outcome.nodes.iter().filter_map(|node| node.measures.nmse);
            measure(nmse.fold(0.0, f64::max))
        })
        .column("max ULP#", |(_, o)| or_dash(o.measures.max_ulp, count))
        .block()
}

/// The kinds of node that differ.
fn differing(outcome: &Outcome) -> impl Iterator<Item = &NodeSummary> {
    let nodes = outcome.nodes.iter();
    nodes.filter(|node| node.measures.mismatches > 0)
}

/// A figure with a row for each kind of node and a mark for each oracle.
fn draw(model: &str, outcomes: &[&Outcome]) -> Result<Figure, ReportError> {
    let longest = outcomes.iter().max_by_key(|outcome| outcome.nodes.len());
    let kinds = longest.map_or(&[][..], |outcome| &outcome.nodes);
    let far = |outcome: &Outcome, kind: &NodeSummary| {
        let key = |node: &NodeSummary| (node.kind.clone(), node.layers.is_empty());
        let node = outcome.nodes.iter().find(|node| key(node) == key(kind))?;
        let m = &node.measures;
        // A difference without a distance is drawn at 1.
        let distance = relative_distance(m.mismatches, m.non_finite, m.nmse).unwrap_or(1.0);
        Some(Measured::exactly(distance))
    };
    let rows = kinds.iter().map(|node| PlotRow {
        label: match &node.op {
            Some(op) => format!("{} ({op})", node.kind),
            None => node.kind.clone(),
        },
        marks: outcomes.iter().map(|outcome| far(outcome, node)).collect(),
    });
    let rows: Vec<PlotRow> = rows.collect();
    let series: Vec<&str> = outcomes.iter().map(|o| o.reference.as_str()).collect();
    let words = outcomes.iter().map(|outcome| {
        let (reference, differ) = (&outcome.reference, differing(outcome).count());
        let all = outcome.nodes.len();
        format!("{reference}: {differ} of {all} kinds of node differ")
    });
    let axis = "relative distance: root of the normalised mean square error, over all layers";
    figure(
        format!("{model}: kinds of node in the order of computation"),
        format!("{}.", join(words, "; ")),
        draw_rows(&series, &rows, Axis::Distance, axis),
    )
}
