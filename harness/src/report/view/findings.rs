//! Section of the findings, with their causes and the commands that reproduce them.

use super::{join, outcomes, several};
use crate::finding::{Finding, NodeFinding, Observed};
use crate::printable;
use crate::receipt::Section as Work;
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Section};
use crate::verdict::Verdict;
use crate::wording::{command, count, measure, or_dash};

/// Anchor of the section.
pub(super) const ID: &str = "findings";

/// The place (level and model, or random case), the candidate, the oracle, and the finding.
pub(super) type Found<'a> = (String, &'a str, &'a str, &'a Finding);

/// All findings of the current receipts.
pub(super) fn of(collection: &Collection) -> Vec<Found<'_>> {
    let mut all: Vec<Found<'_>> = Vec::new();
    for (model, outcome) in outcomes(collection).filter(|(_, o)| o.verdict == Verdict::Divergent) {
        all.extend(outcome.findings.iter().map(|finding| {
            let place = format!("level {} on {model}", outcome.level);
            (
                place,
                &outcome.candidate[..],
                &outcome.reference[..],
                finding,
            )
        }));
    }
    for receipt in collection.current(Work::Fuzz) {
        let fuzz = receipt.harness.fuzz.iter();
        all.extend(fuzz.flat_map(|fuzz| &fuzz.findings).map(|found| {
            let place = format!("random case {}", found.case);
            (
                place,
                &found.candidate[..],
                &found.reference[..],
                &found.finding,
            )
        }));
    }
    all
}

/// The section.
pub(super) fn section(findings: &[Found<'_>]) -> Section {
    const SHOWN: usize = 8;
    let described = |some: &[Found<'_>]| some.iter().map(described).collect();
    let blocks = match findings {
        [] => vec![Block::text(
            "None: every difference is a known divergence or within the noise floor.",
        )],
        all if all.len() <= SHOWN => described(all),
        all => {
            let words = format!("{}. The first {SHOWN}:", several(all.len(), "finding"));
            let mut blocks: Vec<Block> = described(&all[..SHOWN]);
            blocks.insert(0, Block::text(words));
            let summary = format!("The other {}", all.len() - SHOWN);
            blocks.push(Block::fold(summary, described(&all[SHOWN..])));
            blocks
        }
    };
    super::section(ID, "Findings", blocks)
}

/// One finding, folded. The summary names the implementations, the place and the attribution.
fn described((place, candidate, reference, finding): &Found<'_>) -> Block {
    let summary = Line::default()
        .and_code(candidate)
        .and(" against ")
        .and_code(reference)
        .and(format!(", {place}: "))
        .and_strong(finding.attribution.name().replace('_', " "));
    let mut details = vec![
        Line::text("what: ")
            .and_code(&finding.subject)
            .and(", ")
            .and(&finding.place),
        Line::text("expected ")
            .and_code(observed(&finding.expected))
            .and(", got ")
            .and_code(observed(&finding.actual)),
    ];
    if let Some(truth) = finding.truth {
        details.push(Line::text("reference model: ").and_code(truth.to_string()));
    }
    if let Some(node) = &finding.node {
        details.extend(located(node));
    }
    details.push(match &finding.cause {
        Some(cause) => Line::text("cause: ").and_strong(cause.to_string()),
        None => Line::text("cause: not shown by the evidence"),
    });
    if let Some(input) = &finding.input {
        details.push(Line::text(format!(
            "smallest input found: {} x {} weights in {}, {}; in the receipt, for harness replay",
            input.rows,
            input.cols,
            input.variant,
            several(input.batch, "activation row")
        )));
    }
    let command = printable::line(&command(&finding.reproduce)).into();
    let reproduce = [Block::text("Reproduce with"), Block::Command(command)];
    let details = [Block::List(details)].into_iter().chain(reproduce);
    Block::fold(summary, details.collect())
}

fn observed(observed: &Observed) -> String {
    match &observed.bits {
        Some(bits) => format!("{} (0x{bits})", observed.value),
        None => observed.value.clone(),
    }
}

/// The node in the graph, the size of the difference, and the agreement of the inputs.
fn located(node: &NodeFinding) -> [Line; 3] {
    let op = node.op.as_deref().unwrap_or("unknown operation");
    let layer = node.layer.map(|layer| format!("layer {layer}"));
    let layer = layer.unwrap_or("no layer".into());
    let attributed = match node.op_attributed {
        true => ": its inputs agree, the operation is wrong",
        false => "",
    };
    let inputs = node.inputs.iter();
    let inputs = inputs.map(|input| format!("{} {}", input.name, input.agreement.name()));
    let inputs = match node.inputs[..] {
        [] => "unknown".into(),
        _ => join(inputs, ", "),
    };
    let far = format!(
        "{} of {} differ, nmse {}, at most {} ULP",
        count(node.measures.mismatches),
        count(node.measures.comparisons),
        or_dash(node.measures.nmse, measure),
        or_dash(node.measures.max_ulp, count)
    );
    [
        Line::text("node ").and_code(&node.name).and(format!(
            ", {op}, {layer}, decode {}{attributed}",
            node.decode
        )),
        Line::text(far),
        Line::text("inputs: ").and(inputs),
    ]
}
