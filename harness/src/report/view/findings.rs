//! Section of the findings, with their causes and the commands that reproduce them.

use super::{outcomes, several};
use crate::finding::{Finding, NodeFinding, Observed};
use crate::printable;
use crate::receipt::Section as Work;
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Section};
use crate::verdict::Verdict;
use crate::wording::command;
use crate::wording::{count, measure, or_dash};

/// Anchor of the section.
pub(super) const ID: &str = "findings";

/// A finding and its origin.
pub(super) struct Found<'a> {
    /// Level and model, or random case.
    pub(super) place: String,
    /// Id of the candidate.
    pub(super) candidate: &'a str,
    /// Id of the oracle.
    pub(super) reference: &'a str,
    /// The finding.
    pub(super) finding: &'a Finding,
}

/// All findings of the current receipts.
pub(super) fn of(collection: &Collection) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (model, outcome) in outcomes(collection).filter(|(_, o)| o.verdict == Verdict::Divergent) {
        found.extend(outcome.findings.iter().map(|finding| Found {
            place: format!("level {} on {model}", outcome.level),
            candidate: &outcome.candidate,
            reference: &outcome.reference,
            finding,
        }));
    }
    for receipt in collection.current(Work::Fuzz) {
        let fuzz = receipt.harness.fuzz.iter();
        found.extend(fuzz.flat_map(|fuzz| &fuzz.findings).map(|fuzzed| Found {
            place: format!("random case {}", fuzzed.case),
            candidate: &fuzzed.candidate,
            reference: &fuzzed.reference,
            finding: &fuzzed.finding,
        }));
    }
    found
}

/// The section.
pub(super) fn section(findings: &[Found<'_>]) -> Section {
    const SHOWN: usize = 8;
    let blocks = match findings {
        [] => vec![Block::Text(Line::text(
            "None: every difference is a known divergence or within the noise floor.",
        ))],
        all if all.len() <= SHOWN => all.iter().map(described).collect(),
        all => {
            let words = format!("{}. The first {SHOWN}:", several(all.len(), "finding"));
            let mut blocks = vec![Block::Text(Line::text(words))];
            blocks.extend(all[..SHOWN].iter().map(described));
            blocks.push(Block::Fold {
                summary: Line::text(format!("The other {}", all.len() - SHOWN)),
                blocks: all[SHOWN..].iter().map(described).collect(),
            });
            blocks
        }
    };
    super::section(ID, "Findings", blocks)
}

/// One finding, folded. The summary names the implementations, the place and the attribution.
fn described(found: &Found<'_>) -> Block {
    let Found {
        place,
        candidate,
        reference,
        finding,
    } = found;
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
    Block::Fold {
        summary,
        blocks: vec![
            Block::List(details),
            Block::Text(Line::text("Reproduce with")),
            Block::Command(printable::line(&command(&finding.reproduce)).into()),
        ],
    }
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
    let layer = node
        .layer
        .map_or("no layer".into(), |layer| format!("layer {layer}"));
    let attributed = if node.op_attributed {
        ": its inputs agree, the operation is wrong"
    } else {
        ""
    };
    let inputs: Vec<String> = node
        .inputs
        .iter()
        .map(|input| format!("{} {}", input.name, input.agreement.name()))
        .collect();
    let inputs = match inputs.is_empty() {
        true => "unknown".into(),
        false => inputs.join(", "),
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
