//! Whether figures can be: counts within counts, measures that follow from sums, verdicts that follow from measures.

use super::flaw::{Flaw, require, value};
use crate::case_record::CaseRecordError;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::known;
use crate::measure::{LogitMeasures, Measures, Meter, UlpHistogram};
use crate::outcome::{LayerSummary, MAX_FINDINGS, NodeSummary, Outcome};
use crate::verdict::Verdict;

/// Holds the outcome that stands `at` a field against itself.
///
/// # Errors
///
/// The first field that cannot be as it is.
pub(super) fn of_outcome(outcome: &Outcome, at: &str) -> Result<(), Flaw> {
    of_measures(&outcome.measures, &format!("{at}.measures"))?;
    if let Some(floor) = &outcome.noise_floor {
        of_measures(floor, &format!("{at}.noise_floor"))?;
    }
    let of_nodes_alone = |of: fn(&Measures) -> u64| {
        let counts = outcome.nodes.iter().map(|node| of(&node.measures));
        let sum = counts.fold(0, u64::saturating_add);
        of(&outcome.measures).checked_sub(sum)
    };
    // Beside the nodes, a side that is lost or refuses counts as one difference.
    let beside = (
        of_nodes_alone(|measures| measures.comparisons),
        of_nodes_alone(|measures| measures.mismatches),
    );
    let adds_up =
        outcome.nodes.is_empty() || matches!(beside, (Some(0), Some(0)) | (Some(1), Some(1)));
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
        "do not have the histogram of the measures",
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
    require(few, &format!("{at}.findings"), "are more than are kept")?;
    let listed = known::all()
        .iter()
        .any(|known| known.id == outcome.candidate);
    let verdict = outcome.verdict;
    let right = match outcome.follows() {
        // A listed divergence is judged by whether it still reproduces.
        _ if verdict == Verdict::KnownDivergence => listed && outcome.findings.is_empty(),
        _ if listed && verdict == Verdict::Divergent => !outcome.findings.is_empty(),
        follows => verdict == follows,
    };
    require(
        right,
        &format!("{at}.verdict"),
        "does not follow from the measures",
    )?;
    let told = !verdict.is_omission() || outcome.omitted.is_some();
    require(
        told,
        &format!("{at}.omitted"),
        "gives no reason for an omission",
    )
}

/// A node whose measures are possible, an input that is a case, a cause that explains no more than is wrong.
pub(super) fn of_finding(finding: &Finding, at: &str) -> Result<(), Flaw> {
    if let Some(node) = &finding.node {
        of_measures(&node.measures, &format!("{at}.node.measures"))?;
    }
    if let Some(input) = &finding.input {
        let flaw =
            |error: CaseRecordError| Flaw::new(format!("{at}.input.{}", error.field), error.reason);
        input.case().map_err(flaw)?;
    }
    let possible = |cause: &Cause| cause.explained <= cause.wrong;
    require(
        finding.cause.as_ref().is_none_or(possible),
        &format!("{at}.cause.explained"),
        "are more than the wrong results",
    )
}

/// Counts that are possible, and figures that follow from the sums.
fn of_measures(measures: &Measures, at: &str) -> Result<(), Flaw> {
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
    let (max_abs, max_ulp) = (&max_abs.unwrap_or_default(), max_ulp.unwrap_or_default());
    // What is no number, or has no distance, is no pair.
    let apart = [sums.pairs, *non_finite, *unmeasured];
    require(
        apart.into_iter().fold(0, u64::saturating_add) <= *comparisons,
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
    require(first, &of("first_mismatch"), "cannot be")?;
    let counted = ulp_histogram.total().checked_add(*non_finite);
    require(
        counted.is_some_and(|n| n <= *comparisons),
        &of("ulp_histogram"),
        "counts more than was compared",
    )?;
    let apart = ulp_histogram.total() - ulp_histogram.counts().first().unwrap_or(&0);
    let at_a_distance = apart
        .saturating_add(*non_finite)
        .saturating_add(*unmeasured)
        <= *mismatches;
    require(
        at_a_distance,
        &of("ulp_histogram"),
        "has more at a distance than mismatches",
    )?;
    let (zero, same) = (*max_abs == 0.0, sums.difference_squares == 0.0);
    // Squares of differences may vanish where the differences do not.
    require(
        *max_abs >= 0.0 && (!zero || same),
        &of("max_abs"),
        "cannot be",
    )?;
    // The largest of n differences: its square is no more than the sum, and n of them are no less. Squares round.
    let square = max_abs * max_abs * (1.0 + 1e-9);
    let (sum, pairs) = (sums.difference_squares, *comparisons as f64);
    let largest = max_abs * max_abs <= sum * (1.0 + 1e-9) && sum <= square * pairs;
    require(largest, &of("max_abs"), "does not go with the sums")?;
    let widest = u64::BITS - max_ulp.leading_zeros();
    let buckets = ulp_histogram.counts().len();
    let widest_counted = buckets == 0 || buckets == widest as usize + 1;
    require(
        widest_counted,
        &of("max_ulp"),
        "is not that of the histogram",
    )?;
    if *mismatches == 0 {
        require(
            zero && same && max_ulp == 0,
            &of("mismatches"),
            "are none, but there is a distance",
        )?;
    }
    let squares = [
        sums.reference_squares,
        sums.candidate_squares,
        sums.difference_squares,
    ];
    let possible = squares.iter().all(|sum| *sum >= 0.0);
    require(possible, &of("sums"), "has a sum of squares below 0")?;
    let wanted = Meter::from(measures).measures();
    if wanted != *measures {
        let difference = Flaw::first_difference(&value(measures)?, &value(&wanted)?);
        let Flaw { at: field, what } = difference.unwrap_or_else(|| Flaw::new("sums", "differ"));
        return Err(Flaw::new(of(&field), what));
    }
    Ok(())
}

fn of_nodes(node: &NodeSummary, at: &str) -> Result<(), Flaw> {
    of_measures(&node.measures, &format!("{at}.measures"))?;
    let differing = node.nodes.checked_sub(node.identical);
    let possible = differing.is_some_and(|differing| {
        let mismatches = node.measures.mismatches;
        node.lacking <= differing && differing <= mismatches && (differing > 0) == (mismatches > 0)
    });
    require(
        possible,
        &format!("{at}.identical"),
        "does not go with nodes, lacking and mismatches",
    )?;
    of_layers(&node.layers, &node.measures, &format!("{at}.layers"))
}

/// Layers in order, each possible, that add up to the measures of all of them; of no layers nothing is asked.
fn of_layers(layers: &[LayerSummary], all: &Measures, at: &str) -> Result<(), Flaw> {
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
        require(possible, &format!("{at}[{i}]"), "cannot be")?;
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
        "have an nmse that does not go with that of the measures",
    )
}

/// Whether an error can be the average of those of the layers, weighted by the squares of their references. One
/// without a value has a reference of zero: it adds to the error, and not to the weights.
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

fn of_logits(logits: &LogitMeasures, at: &str) -> Result<(), Flaw> {
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
        "is no mean of what is at most kl_divergence_max",
    )?;
    for (field, share) in [("top1_agree", top1_agree), ("topk_overlap", topk_overlap)] {
        require(
            (0.0..=1.0 + 1e-9).contains(share),
            &of(field),
            "is no share",
        )?;
    }
    let agreeing = top1_agree * *positions as f64;
    let whole = (agreeing - agreeing.round()).abs() < 1e-6;
    require(whole, &of("top1_agree"), "is no whole number of positions")?;
    let flips = *positions as f64 - agreeing.round() - *non_finite as f64;
    require(
        (flips > 0.0) == tie_margin.is_some(),
        &of("tie_margin"),
        "does not go with top1_agree",
    )
}
