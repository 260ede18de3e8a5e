//! Checks that numbers are possible: counts lie within other counts, measures match their sums, and verdicts match
//! their measures.

use super::validation::{ValidationError, require, value};
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
pub(super) fn of_outcome(outcome: &Outcome, at: &str) -> Result<(), ValidationError> {
    of_measures(&outcome.measures, &format!("{at}.measures"))?;
    if let Some(floor) = &outcome.noise_floor {
        of_measures(floor, &format!("{at}.noise_floor"))?;
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
    require(
        adds_up,
        &format!("{at}.nodes"),
        "do not add up to the measures",
    )?;
    let histogram = outcome
        .nodes
        .iter()
        .fold(UlpHistogram::default(), |sum, node| {
            sum.plus(&node.measures.ulp_histogram)
        });
    let same = outcome.nodes.is_empty() || histogram == outcome.measures.ulp_histogram;
    require(
        same,
        &format!("{at}.nodes"),
        "do not add up to the histogram of the measures",
    )?;
    for (i, node) in outcome.nodes.iter().enumerate() {
        of_nodes(node, &format!("{at}.nodes[{i}]"))?;
    }
    for (i, finding) in outcome.findings.iter().enumerate() {
        of_finding(finding, &format!("{at}.findings[{i}]"))?;
    }
    if let Some(logits) = &outcome.logits {
        let at = format!("{at}.logits");
        of_logits(&logits.measures, &format!("{at}.measures"))?;
        if let Some(floor) = &logits.noise_floor {
            of_logits(floor, &format!("{at}.noise_floor"))?;
        }
    }
    let few = outcome.findings.len() <= MAX_FINDINGS;
    require(few, &format!("{at}.findings"), "are more than the maximum")?;
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
    require(
        matches,
        &format!("{at}.verdict"),
        "does not match the measures",
    )?;
    let has_reason = !verdict.is_omission() || outcome.omitted.is_some();
    require(
        has_reason,
        &format!("{at}.omitted"),
        "gives no reason for an omission",
    )
}

/// Checks that a number is finite, if it is present.
fn require_finite(number: Option<f64>, at: &str) -> Result<(), ValidationError> {
    require(number.is_none_or(f64::is_finite), at, "is not finite")
}

/// Checks a finding: the measures of its node are possible, its input is a case, and its cause explains at most the
/// wrong results.
pub(super) fn of_finding(finding: &Finding, at: &str) -> Result<(), ValidationError> {
    require_finite(finding.truth, &format!("{at}.truth"))?;
    if let Some(node) = &finding.node {
        of_measures(&node.measures, &format!("{at}.node.measures"))?;
    }
    if let Some(input) = &finding.input {
        let validation_error = |error: CaseRecordError| {
            ValidationError::new(format!("{at}.input.{}", error.field), error.reason)
        };
        input.case().map_err(validation_error)?;
    }
    let possible = |cause: &Cause| cause.explained <= cause.wrong;
    require(
        finding.cause.as_ref().is_none_or(possible),
        &format!("{at}.cause.explained"),
        "are more than the wrong results",
    )
}

/// Checks measures: the counts are possible, and the measures have the values derived from the sums.
fn of_measures(measures: &Measures, at: &str) -> Result<(), ValidationError> {
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
    let of = |field: &str| format!("{at}.{field}");
    for (field, number) in [
        ("cosine_similarity", measures.cosine_similarity),
        ("nmse", measures.nmse),
        ("rmse", measures.rmse),
        ("max_abs", *max_abs),
        ("scale_ratio", measures.scale_ratio),
    ] {
        require_finite(number, &of(field))?;
    }
    let (max_abs, max_ulp) = (&max_abs.unwrap_or_default(), max_ulp.unwrap_or_default());
    // Pairs of values that are not finite, or that have no distance, are not in the sums.
    let disjoint = [sums.pairs, *non_finite, *unmeasured];
    require(
        disjoint.into_iter().fold(0, u64::saturating_add) <= *comparisons,
        &of("sums.pairs"),
        "are more than the comparisons",
    )?;
    require(
        mismatches <= comparisons,
        &of("mismatches"),
        "are more than the comparisons",
    )?;
    require(
        non_finite <= mismatches,
        &of("non_finite"),
        "are more than the mismatches",
    )?;
    require(
        non_finite.saturating_add(*unmeasured) <= *mismatches,
        &of("unmeasured"),
        "are more than the mismatches",
    )?;
    let first = match first_mismatch {
        Some(index) => mismatches > &0 && index.saturating_add(*mismatches) <= *comparisons,
        None => *mismatches == 0,
    };
    require(first, &of("first_mismatch"), "is impossible")?;
    let counted = ulp_histogram.total().checked_add(*non_finite);
    require(
        counted.is_some_and(|n| n <= *comparisons),
        &of("ulp_histogram"),
        "counts more than the comparisons",
    )?;
    let differing = ulp_histogram.total() - ulp_histogram.counts().first().unwrap_or(&0);
    let within_mismatches = differing
        .saturating_add(*non_finite)
        .saturating_add(*unmeasured)
        <= *mismatches;
    require(
        within_mismatches,
        &of("ulp_histogram"),
        "counts more differing values than the mismatches",
    )?;
    let (zero, same) = (*max_abs == 0.0, sums.difference_squares == 0.0);
    // Squares of small differences may underflow to 0.
    require(
        *max_abs >= 0.0 && (!zero || same),
        &of("max_abs"),
        "is impossible",
    )?;
    // The sum of n squares lies between the largest square and n times the largest square, up to rounding.
    let square = max_abs * max_abs * (1.0 + 1e-9);
    let (sum, pairs) = (sums.difference_squares, *comparisons as f64);
    let largest = max_abs * max_abs <= sum * (1.0 + 1e-9) && sum <= square * pairs;
    require(largest, &of("max_abs"), "does not match the sums")?;
    let widest = u64::BITS - max_ulp.leading_zeros();
    let buckets = ulp_histogram.counts().len();
    let widest_counted = buckets == 0 || buckets == widest as usize + 1;
    require(
        widest_counted,
        &of("max_ulp"),
        "does not match the histogram",
    )?;
    if *mismatches == 0 {
        require(
            zero && same && max_ulp == 0,
            &of("mismatches"),
            "are 0, but there is a distance",
        )?;
    }
    let squares = [
        sums.reference_squares,
        sums.candidate_squares,
        sums.difference_squares,
    ];
    let possible = squares.iter().all(|sum| *sum >= 0.0);
    require(possible, &of("sums"), "has a sum of squares below 0")?;
    let derived = Counter::from(measures).measures();
    if derived != *measures {
        let difference = ValidationError::first_difference(&value(measures)?, &value(&derived)?);
        let ValidationError { at: field, what } =
            difference.unwrap_or_else(|| ValidationError::new("sums", "differ"));
        return Err(ValidationError::new(of(&field), what));
    }
    Ok(())
}

fn of_nodes(node: &NodeSummary, at: &str) -> Result<(), ValidationError> {
    of_measures(&node.measures, &format!("{at}.measures"))?;
    let matched = node.nodes.checked_sub(node.unmatched);
    let differing = matched.and_then(|matched| matched.checked_sub(node.identical));
    let possible = differing.is_some_and(|differing| {
        let mismatches = node.measures.mismatches;
        node.lacking <= differing && differing <= mismatches && (differing > 0) == (mismatches > 0)
    });
    require(
        possible,
        &format!("{at}.identical"),
        "does not match nodes, lacking, unmatched and mismatches",
    )?;
    of_layers(&node.layers, &node.measures, &format!("{at}.layers"))
}

/// Checks layers: they are in order, each is possible, and they add up to the measures of the node. An empty list is
/// valid.
fn of_layers(layers: &[LayerSummary], all: &Measures, at: &str) -> Result<(), ValidationError> {
    if layers.is_empty() {
        return Ok(());
    }
    let ascend = layers.windows(2).all(|two| two[0].layer < two[1].layer);
    require(ascend, at, "are not in ascending order")?;
    for (i, layer) in layers.iter().enumerate() {
        let at_a_distance = layer.max_ulp > Some(0)
            || layer.nmse.is_some_and(|nmse| nmse != 0.0)
            || layer.non_finite > 0;
        let possible = layer.mismatches <= layer.comparisons
            && layer.non_finite <= layer.mismatches
            && layer.nmse.is_none_or(|nmse| nmse >= 0.0)
            && (layer.mismatches > 0 || !at_a_distance);
        require(possible, &format!("{at}[{i}]"), "is impossible")?;
    }
    let sum = |of: fn(&LayerSummary) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
    let counted = sum(|layer| layer.comparisons) == all.comparisons
        && sum(|layer| layer.mismatches) == all.mismatches
        && sum(|layer| layer.non_finite) == all.non_finite
        && layers.iter().map(|layer| layer.max_ulp).max() == Some(all.max_ulp);
    require(counted, at, "do not add up to the measures")?;
    require(
        averages(layers, all.nmse),
        at,
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

fn of_logits(logits: &LogitMeasures, at: &str) -> Result<(), ValidationError> {
    let LogitMeasures {
        positions,
        non_finite,
        kl_divergence,
        kl_divergence_max,
        top1_agree,
        topk_overlap,
        tie_margin,
    } = logits;
    let of = |field: &str| format!("{at}.{field}");
    require(
        non_finite <= positions,
        &of("non_finite"),
        "are more than the positions",
    )?;
    let mean = *kl_divergence >= 0.0 && *kl_divergence <= kl_divergence_max * (1.0 + 1e-9);
    require(
        mean,
        &of("kl_divergence"),
        "is not a mean of values up to kl_divergence_max",
    )?;
    for (field, fraction) in [("top1_agree", top1_agree), ("topk_overlap", topk_overlap)] {
        require(
            (0.0..=1.0 + 1e-9).contains(fraction),
            &of(field),
            "is not a fraction",
        )?;
    }
    let agreeing = top1_agree * *positions as f64;
    let whole = (agreeing - agreeing.round()).abs() < 1e-6;
    require(
        whole,
        &of("top1_agree"),
        "is not a whole number of positions",
    )?;
    let flips = *positions as f64 - agreeing.round() - *non_finite as f64;
    require(
        (flips > 0.0) == tie_margin.is_some(),
        &of("tie_margin"),
        "does not match top1_agree",
    )
}
