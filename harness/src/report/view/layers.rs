//! Distances of candidate and oracle in each layer of a model.

use std::collections::BTreeMap;

use super::{figure, join, relative_distance, several};
use crate::outcome::Outcome;
use crate::report::error::ReportError;
use crate::report::page::{Block, Figure, Line, Rows};
use crate::report::plot::{Curve, draw_layers};
use crate::wording::{count, measure, or_dash};

/// Results of all kinds of nodes in a layer.
#[derive(Default)]
struct Layer<'a> {
    comparisons: u64,
    mismatches: u64,
    max_ulp: Option<u64>,
    /// The kind with the largest distance, and the distance. A difference without a distance counts as the largest.
    worst: Option<(&'a str, Option<f64>)>,
}

/// A rank by distance: a difference without a distance is the farthest.
fn rank(distance: Option<f64>) -> f64 {
    distance.unwrap_or(f64::INFINITY)
}

impl Layer<'_> {
    fn distance(&self) -> Option<f64> {
        self.worst.map_or(Some(0.0), |(_, distance)| distance)
    }
}

/// The layers of a pair of implementations, in ascending order.
fn layers_of(outcome: &Outcome) -> BTreeMap<usize, Layer<'_>> {
    let mut layers: BTreeMap<usize, Layer<'_>> = BTreeMap::new();
    for node in &outcome.nodes {
        for of_kind in &node.layers {
            let layer = layers.entry(of_kind.layer).or_default();
            layer.comparisons = layer.comparisons.saturating_add(of_kind.comparisons);
            layer.mismatches = layer.mismatches.saturating_add(of_kind.mismatches);
            layer.max_ulp = layer.max_ulp.max(of_kind.max_ulp);
            if of_kind.mismatches == 0 {
                continue;
            }
            let distance = relative_distance(of_kind.mismatches, of_kind.non_finite, of_kind.nmse);
            let farther = |(_, worst): (&str, Option<f64>)| rank(distance) > rank(worst);
            if layer.worst.is_none_or(farther) {
                layer.worst = Some((&node.kind, distance));
            }
        }
    }
    layers
}

/// Whether any layer of the outcomes differs.
fn is_apart(outcomes: &[&Outcome]) -> bool {
    let nodes = outcomes.iter().flat_map(|outcome| &outcome.nodes);
    let mut layers = nodes.flat_map(|node| &node.layers);
    layers.any(|layer| layer.mismatches > 0)
}

/// A figure with a curve for each oracle; none if no layer differs.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn draw(model: &str, outcomes: &[&Outcome]) -> Result<Option<Figure>, ReportError> {
    if !is_apart(outcomes) {
        return Ok(None);
    }
    let curves = outcomes.iter().map(|outcome| {
        let layers = layers_of(outcome).into_iter();
        let points = layers.map(|(number, layer)| (number, layer.distance()));
        (outcome.reference.as_str(), points.collect())
    });
    let curves: Vec<Curve<'_>> = curves.collect();
    let words = outcomes.iter().map(|outcome| words(outcome));
    let axis =
        "layer; vertical axis: largest relative distance (root of the nmse) of a kind of node";
    figure(
        format!("{model}: divergence along the layers"),
        format!("{}.", join(words, "; ")),
        draw_layers(&curves, axis),
    )
    .map(Some)
}

/// Alt text: the first layer that differs, and the layer with the largest difference.
fn words(outcome: &Outcome) -> String {
    let layers = layers_of(outcome);
    let mut apart = layers.iter().filter(|(_, layer)| layer.mismatches > 0);
    let differ = apart.clone().count();
    let reference = &outcome.reference;
    let Some((first, of_first)) = apart.next() else {
        return format!("{reference}: exact on every layer");
    };
    let (worst, of_worst) = apart.fold((first, of_first), |worst, other| {
        let is_farther = rank(other.1.distance()) > rank(worst.1.distance());
        if is_farther { other } else { worst }
    });
    let (kind, distance) = of_worst.worst.unwrap_or_default();
    let far = distance.map_or("without a distance".into(), |distance| {
        format!("by {}", measure(distance))
    });
    format!(
        "{reference}: {differ} of {} differ, from layer {first} on; the farthest is layer {worst} ({kind}, {far})",
        several(layers.len(), "layer")
    )
}

/// A table with a row for each layer and oracle; none if no layer differs.
pub(super) fn table(model: &str, outcomes: &[&Outcome]) -> Option<Block> {
    if !is_apart(outcomes) {
        return None;
    }
    let mut rows: Vec<(usize, &str, Layer<'_>)> = Vec::new();
    for outcome in outcomes {
        let layers = layers_of(outcome).into_iter();
        rows.extend(layers.map(|(number, layer)| (number, outcome.reference.as_str(), layer)));
    }
    rows.sort_by_key(|(number, ..)| *number);
    let table = Rows::new(format!("{model}: layer by layer"), &rows)
        .column("layer", |(number, ..)| number.to_string())
        .column("oracle", |(_, reference, _)| Line::code(reference))
        .column("compared#", |(.., layer)| count(layer.comparisons))
        .column("differ#", |(.., layer)| count(layer.mismatches))
        .column("farthest kind", |(.., layer)| match layer.worst {
            Some((kind, _)) => Line::code(kind),
            None => Line::text("none"),
        })
        .column("relative distance#", |(.., layer)| {
            layer.distance().map_or("none".into(), measure)
        })
        .column("max ULP#", |(.., layer)| or_dash(layer.max_ulp, count));
    Some(table.block())
}
