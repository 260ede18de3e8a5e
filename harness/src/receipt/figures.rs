//! Checks that numbers are possible: counts lie within other counts, measures match their sums, and verdicts match
//! their measures.

use super::validation::{At, ValidationError, value};
use crate::case_record::CaseRecordError;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::known;
use crate::measure::{Counter, LogitMeasures, Measures, UlpHistogram};
use crate::outcome::{LayerSummary, MAX_FINDINGS, NodeSummary, Outcome};
use crate::verdict::Verdict;

/// Checks the outcome in the field `at`.
///
/// # Errors
///
/// The first inconsistent field.
pub(super) fn of_outcome(outcome: &Outcome, at: &At) -> Result<(), ValidationError> {
    of_measures(&outcome.measures, &at.field("measures"))?;
    if let Some(floor) = &outcome.noise_floor {
        of_measures(floor, &at.field("noise_floor"))?;
    }
    let beyond_nodes = |of: fn(&Measures) -> u64| {
        let counts = outcome.nodes.iter().map(|node| of(&node.measures));
        let sum = counts.fold(0, u64::saturating_add);
        of(&outcome.measures).checked_sub(sum)
    };
    // A lost implementation, or one that fails, counts as one more difference than the nodes have.
    let rest = (
        beyond_nodes(|measures| measures.comparisons),
        beyond_nodes(|measures| measures.mismatches),
    );
    let adds_up =
        outcome.nodes.is_empty() || matches!(rest, (Some(0), Some(0)) | (Some(1), Some(1)));
    at.field("nodes")
        .require(adds_up, "do not add up to the measures")?;
    let histogram = outcome
        .nodes
        .iter()
        .fold(UlpHistogram::default(), |sum, node| {
            sum.plus(&node.measures.ulp_histogram)
        });
    let same = outcome.nodes.is_empty() || histogram == outcome.measures.ulp_histogram;
    at.field("nodes")
        .require(same, "do not add up to the histogram of the measures")?;
    for (i, node) in outcome.nodes.iter().enumerate() {
        of_nodes(node, &at.field("nodes").item(i))?;
    }
    for (i, finding) in outcome.findings.iter().enumerate() {
        of_finding(finding, &at.field("findings").item(i))?;
    }
    if let Some(logits) = &outcome.logits {
        let at = at.field("logits");
        of_logits(&logits.measures, &at.field("measures"))?;
        if let Some(floor) = &logits.noise_floor {
            of_logits(floor, &at.field("noise_floor"))?;
        }
    }
    let few = outcome.findings.len() <= MAX_FINDINGS;
    at.field("findings")
        .require(few, "are more than the maximum")?;
    let listed = known::all()
        .iter()
        .any(|known| known.id == outcome.candidate);
    let verdict = outcome.verdict;
    let matches = match outcome.derived_verdict() {
        // The verdict of a known divergence depends on whether it still reproduces.
        _ if verdict == Verdict::KnownDivergence => listed && outcome.findings.is_empty(),
        _ if listed && verdict == Verdict::Divergent => !outcome.findings.is_empty(),
        derived => verdict == derived,
    };
    at.field("verdict")
        .require(matches, "does not match the measures")?;
    let has_reason = !verdict.is_omission() || outcome.omitted.is_some();
    at.field("omitted")
        .require(has_reason, "gives no reason for an omission")
}

/// Checks that a number is finite, if it is present.
fn require_finite(number: Option<f64>, at: &At) -> Result<(), ValidationError> {
    at.require(number.is_none_or(f64::is_finite), "is not finite")
}

/// Checks a finding: the measures of its node are possible, its input is a case, and its cause explains at most the
/// wrong results.
pub(super) fn of_finding(finding: &Finding, at: &At) -> Result<(), ValidationError> {
    require_finite(finding.truth, &at.field("truth"))?;
    if let Some(node) = &finding.node {
        of_measures(&node.measures, &at.field("node").field("measures"))?;
    }
    if let Some(input) = &finding.input {
        let validation_error =
            |error: CaseRecordError| at.field("input").field(error.field).error(error.reason);
        input.case().map_err(validation_error)?;
    }
    let possible = |cause: &Cause| cause.explained <= cause.wrong;
    at.field("cause.explained").require(
        finding.cause.as_ref().is_none_or(possible),
        "are more than the wrong results",
    )
}

/// Checks measures: the counts are possible, and the measures have the values derived from the sums.
fn of_measures(measures: &Measures, at: &At) -> Result<(), ValidationError> {
    let Measures {
        comparisons,
        mismatches,
        first_mismatch,
        non_finite,
        unmeasured,
        max_abs,
        max_ulp,
        ulp_histogram,
        sums,
        ..
    } = measures;
    for (field, number) in [
        ("cosine_similarity", measures.cosine_similarity),
        ("nmse", measures.nmse),
        ("rmse", measures.rmse),
        ("max_abs", *max_abs),
        ("scale_ratio", measures.scale_ratio),
    ] {
        require_finite(number, &at.field(field))?;
    }
    let (max_abs, max_ulp) = (&max_abs.unwrap_or_default(), max_ulp.unwrap_or_default());
    // Pairs of values that are not finite, or that have no distance, are not in the sums.
    let disjoint = [sums.pairs, *non_finite, *unmeasured];
    at.field("sums.pairs").require(
        disjoint.into_iter().fold(0, u64::saturating_add) <= *comparisons,
        "are more than the comparisons",
    )?;
    at.field("mismatches")
        .require(mismatches <= comparisons, "are more than the comparisons")?;
    at.field("non_finite")
        .require(non_finite <= mismatches, "are more than the mismatches")?;
    at.field("unmeasured").require(
        non_finite.saturating_add(*unmeasured) <= *mismatches,
        "are more than the mismatches",
    )?;
    let first = match first_mismatch {
        Some(index) => mismatches > &0 && index.saturating_add(*mismatches) <= *comparisons,
        None => *mismatches == 0,
    };
    at.field("first_mismatch").require(first, "is impossible")?;
    let counted = ulp_histogram.total().checked_add(*non_finite);
    at.field("ulp_histogram").require(
        counted.is_some_and(|n| n <= *comparisons),
        "counts more than the comparisons",
    )?;
    let differing = ulp_histogram.total() - ulp_histogram.counts().first().unwrap_or(&0);
    let within_mismatches = differing
        .saturating_add(*non_finite)
        .saturating_add(*unmeasured)
        <= *mismatches;
    at.field("ulp_histogram").require(
        within_mismatches,
        "counts more differing values than the mismatches",
    )?;
    let (zero, same) = (*max_abs == 0.0, sums.difference_squares == 0.0);
    // Squares of small differences may underflow to 0.
    at.field("max_abs")
        .require(*max_abs >= 0.0 && (!zero || same), "is impossible")?;
    // The sum of n squares lies between the largest square and n times the largest square, up to rounding.
    let square = max_abs * max_abs * (1.0 + 1e-9);
    let (sum, pairs) = (sums.difference_squares, *comparisons as f64);
    let largest = max_abs * max_abs <= sum * (1.0 + 1e-9) && sum <= square * pairs;
    at.field("max_abs")
        .require(largest, "does not match the sums")?;
    let widest = u64::BITS - max_ulp.leading_zeros();
    let buckets = ulp_histogram.counts().len();
    let widest_counted = buckets == 0 || buckets == widest as usize + 1;
    at.field("max_ulp")
        .require(widest_counted, "does not match the histogram")?;
    if *mismatches == 0 {
        at.field("mismatches").require(
            zero && same && max_ulp == 0,
            "are 0, but there is a distance",
        )?;
    }
    let squares = [
        sums.reference_squares,
        sums.candidate_squares,
        sums.difference_squares,
    ];
    let possible = squares.iter().all(|sum| *sum >= 0.0);
    at.field("sums")
        .require(possible, "has a sum of squares below 0")?;
    let derived = Counter::from(measures).measures();
    if derived != *measures {
        let difference = ValidationError::first_difference(&value(measures)?, &value(&derived)?);
        let ValidationError { at: field, what } =
            difference.unwrap_or_else(|| ValidationError::new("sums", "differ"));
        return Err(at.field(&field).error(what));
    }
    Ok(())
}

fn of_nodes(node: &NodeSummary, at: &At) -> Result<(), ValidationError> {
    of_measures(&node.measures, &at.field("measures"))?;
    let matched = node.nodes.checked_sub(node.unmatched);
    let differing = matched.and_then(|matched| matched.checked_sub(node.identical));
    let possible = differing.is_some_and(|differing| {
        let mismatches = node.measures.mismatches;
        node.lacking <= differing && differing <= mismatches && (differing > 0) == (mismatches > 0)
    });
    at.field("identical").require(
        possible,
        "does not match nodes, lacking, unmatched and mismatches",
    )?;
    of_layers(&node.layers, &node.measures, &at.field("layers"))
}

/// Checks layers: they are in order, each is possible, and they add up to the measures of the node. An empty list is
/// valid.
fn of_layers(layers: &[LayerSummary], all: &Measures, at: &At) -> Result<(), ValidationError> {
    if layers.is_empty() {
        return Ok(());
    }
    let ascend = layers.windows(2).all(|two| two[0].layer < two[1].layer);
    at.require(ascend, "are not in ascending order")?;
    for (i, layer) in layers.iter().enumerate() {
        let at_a_distance = layer.max_ulp > Some(0)
            || layer.nmse.is_some_and(|nmse| nmse != 0.0)
            || layer.non_finite > 0;
        let possible = layer.mismatches <= layer.comparisons
            && layer.non_finite <= layer.mismatches
            && layer.nmse.is_none_or(|nmse| nmse >= 0.0)
            && (layer.mismatches > 0 || !at_a_distance);
        at.item(i).require(possible, "is impossible")?;
    }
    let sum = |of: fn(&LayerSummary) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
    let counted = sum(|layer| layer.comparisons) == all.comparisons
        && sum(|layer| layer.mismatches) == all.mismatches
        && sum(|layer| layer.non_finite) == all.non_finite
        && layers.iter().map(|layer| layer.max_ulp).max() == Some(all.max_ulp);
    at.require(counted, "do not add up to the measures")?;
    at.require(
        averages(layers, all.nmse),
        "have an nmse that does not match that of the measures",
    )
}

/// Whether the error `all` can be the average of the errors of the layers, weighted by the squares of their references.
/// A layer without a value has a reference of zero: it adds to the error, but not to the weights.
fn averages(layers: &[LayerSummary], all: Option<f64>) -> bool {
    const ROUNDING: f64 = 1e-9;
    let finite = || layers.iter().filter_map(|layer| layer.nmse);
    let are_all_finite = finite().count() == layers.len();
    let (low, high) = (
        finite().fold(f64::INFINITY, f64::min),
        finite().fold(0.0, f64::max),
    );
    match all {
        Some(all) if are_all_finite => {
            low <= all * (1.0 + ROUNDING) && all <= high * (1.0 + ROUNDING)
        }
        Some(all) => low <= all * (1.0 + ROUNDING),
        None => !are_all_finite && high == 0.0,
    }
}

fn of_logits(logits: &LogitMeasures, at: &At) -> Result<(), ValidationError> {
    let LogitMeasures {
        positions,
        non_finite,
        kl_divergence,
        kl_divergence_max,
        top1_agree,
        topk_overlap,
        tie_margin,
    } = logits;
    at.field("non_finite")
        .require(non_finite <= positions, "are more than the positions")?;
    let mean = *kl_divergence >= 0.0 && *kl_divergence <= kl_divergence_max * (1.0 + 1e-9);
    at.field("kl_divergence")
        .require(mean, "is not a mean of values up to kl_divergence_max")?;
    for (field, fraction) in [("top1_agree", top1_agree), ("topk_overlap", topk_overlap)] {
        at.field(field)
            .require((0.0..=1.0 + 1e-9).contains(fraction), "is not a fraction")?;
    }
    let agreeing = top1_agree * *positions as f64;
    let whole = (agreeing - agreeing.round()).abs() < 1e-6;
    at.field("top1_agree")
        .require(whole, "is not a whole number of positions")?;
    let flips = *positions as f64 - agreeing.round() - *non_finite as f64;
    at.field("tie_margin").require(
        (flips > 0.0) == tie_margin.is_some(),
        "does not match top1_agree",
    )
}
