//! Formats results. Colours are always written, and [`terminal`](super::terminal) drops them if the output is not a
//! terminal.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table, TableComponent};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output;
use super::terminal::{Styled, bold, coloured, indented};
use crate::finding::{Finding, NodeFinding, NodeInput, Observed};
use crate::measure::{LogitMeasures, Measures, TOP_K};
use crate::outcome::{LogitComparison, Outcome};
use crate::progress::{Event, Progress};
use crate::verdict::Verdict;
pub(super) use crate::wording::{count, measure, or_dash};
use crate::{inherited, printable};

/// A table with these headings. The columns `numbers` are right-aligned.
pub(super) fn table(headings: &[&str], numbers: impl IntoIterator<Item = usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(headings);
    for line in [
        TableComponent::HeaderLines,
        TableComponent::MiddleHeaderIntersections,
    ] {
        table.set_style(line, '─');
    }
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A verdict in its colour.
pub(super) fn verdict(verdict: Verdict) -> Styled<Verdict> {
    let code = match verdict {
        Verdict::Exact => "1;32",
        Verdict::WithinNoiseFloor
        | Verdict::KnownDivergence
        | Verdict::Skipped
        | Verdict::Unsupported => "1;33",
        Verdict::Divergent => "1;31",
    };
    coloured(code, verdict)
}

/// Prints a finding in four lines: the place, the values, the cause and the command that reproduces it.
pub(super) fn finding(finding: &Finding, reproduce: &str, out: &mut dyn Write) -> io::Result<()> {
    let bits = |observed: &Observed| match &observed.bits {
        Some(bits) => format!("{} (0x{bits})", observed.value),
        None => observed.value.clone(),
    };
    let truth = finding
        .truth
        .map(|truth| format!(", reference model {truth}"));
    let (expected, actual) = (bits(&finding.expected), bits(&finding.actual));
    let (expected, actual) = (indented(&expected), indented(&actual));
    writeln!(
        out,
        "  {}, {}: {}",
        printable::line(&finding.subject),
        printable::line(&finding.place),
        bold(finding.attribution)
    )?;
    writeln!(
        out,
        "    expected {expected}, got {actual}{}",
        truth.unwrap_or_default()
    )?;
    if let Some(node) = &finding.node {
        located(node, out)?;
    }
    match &finding.cause {
        Some(cause) => writeln!(out, "    cause: {}", bold(cause))?,
        None => writeln!(out, "    cause: not shown by the evidence")?,
    }
    writeln!(out, "    {}", printable::line(reproduce))
}

/// Prints the place in the graph, the measures and the agreement of the inputs.
fn located(node: &NodeFinding, out: &mut dyn Write) -> io::Result<()> {
    let NodeFinding {
        op,
        layer,
        decode,
        measures,
        inputs,
        ..
    } = node;
    let op = op.as_deref().unwrap_or("an unknown operation");
    let layer = layer.map_or("no layer".into(), |layer| format!("layer {layer}"));
    let which = match node.occurrence {
        0 => String::new(),
        n => format!(", occurrence {n}"),
    };
    let attributed = if node.op_attributed {
        ": its inputs agree, the operation is wrong"
    } else {
        ""
    };
    writeln!(out, "    {op}, {layer}, decode {decode}{which}{attributed}")?;
    writeln!(
        out,
        "    {} of {} differ, cosine {}, nmse {}, max ulp {}",
        count(measures.mismatches),
        count(measures.comparisons),
        or_dash(measures.cosine_similarity, measure),
        or_dash(measures.nmse, measure),
        or_dash(measures.max_ulp, count)
    )?;
    let input = |input: &NodeInput| format!("{} {}", input.name, input.agreement.name());
    match &inputs[..] {
        [] => writeln!(out, "    inputs are unknown"),
        inputs => {
            let inputs: Vec<String> = inputs.iter().map(input).collect();
            writeln!(out, "    inputs: {}", inputs.join(", "))
        }
    }
}

/// Prints the measures of logits: one line for the pair and one for the noise floor.
pub(super) fn logits(
    outcome: &Outcome,
    logits: &LogitComparison,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Outcome {
        candidate,
        reference,
        measures,
        noise_floor,
        ..
    } = outcome;
    let line = |m: &LogitMeasures, values: &Measures| {
        let flips = m.tie_margin.map_or(String::new(), |margin| {
            format!(", flips across gaps up to {}", measure(margin))
        });
        format!(
            "kl {} (max {}), top-1 {}, top-{TOP_K} {}{flips}, ulp {}",
            measure(m.kl_divergence),
            measure(m.kl_divergence_max),
            measure(m.top1_agree),
            measure(m.topk_overlap),
            histogram(values.ulp_histogram.counts())
        )
    };
    writeln!(
        out,
        "logits of {} positions, {candidate} against {reference}: {}",
        count(logits.measures.positions),
        line(&logits.measures, measures)
    )?;
    if let (Some(floor), Some(values)) = (&logits.noise_floor, noise_floor) {
        writeln!(out, "  noise floor: {}", line(floor, values))?;
    }
    Ok(())
}

/// A histogram of distances, such as `0: 2,500 1: 40 2..4: 12`.
fn histogram(counts: &[u64]) -> String {
    let bucket = |(bucket, &n): (usize, &u64)| {
        let range = match bucket {
            0 | 1 => bucket.to_string(),
            _ => format!("<{}", 1u64.checked_shl(bucket as u32).unwrap_or(u64::MAX)),
        };
        (n > 0).then(|| format!("{range}: {}", count(n)))
    };
    let buckets: Vec<String> = counts.iter().enumerate().filter_map(bucket).collect();
    buckets.join(" ")
}

/// Draws the progress of some work on standard error: a bar on a terminal without `--quiet`, otherwise nothing.
pub(super) fn progress() -> Progress {
    drawn(bar())
}

/// Like [`progress`], and redrawn while a long step runs.
pub(super) fn ticking_progress() -> Progress {
    let bar = bar();
    bar.enable_steady_tick(TICK);
    drawn(bar)
}

/// Like [`progress`], with bytes as steps. Drawn for files of [`SHOW_BYTES_FROM`] or more.
pub(super) fn byte_progress() -> Progress {
    let bar = bar();
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        .expect("the template is well-formed");
    bar.set_style(style);
    Progress::new(move |event| {
        if matches!(event, Event::Length(bytes) if bytes < SHOW_BYTES_FROM) {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        draw(&bar, event);
    })
}

/// Smallest file size in bytes for which progress is shown.
const SHOW_BYTES_FROM: u64 = 64 << 20;

/// Redraws of a bar per second.
const BAR_HZ: u8 = 20;

/// The terminal of the command; hidden if it is not a terminal.
fn draw_target() -> ProgressDrawTarget {
    match (inherited::descriptor(), inherited::descriptor()) {
        (Ok(read), Ok(write)) => {
            ProgressDrawTarget::term(Term::read_write_pair(read, write), BAR_HZ)
        }
        _ => ProgressDrawTarget::hidden(),
    }
}

/// Interval at which a ticking bar is redrawn.
const TICK: Duration = Duration::from_millis(200);

fn drawn(bar: ProgressBar) -> Progress {
    Progress::new(move |event| draw(&bar, event))
}

fn draw(bar: &ProgressBar, event: Event<'_>) {
    match event {
        Event::Length(steps) => bar.set_length(steps),
        Event::Part(part) => bar.set_message(printable::line(part).into_owned()),
        Event::Steps(steps) => bar.inc(steps),
        Event::Position(steps) => bar.set_position(steps),
        Event::Finished => bar.finish_and_clear(),
    }
}

/// The bar of [`progress`].
pub(super) fn bar() -> ProgressBar {
    if output::is_quiet() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:>8} [{bar:30}] {steps}{elapsed}")
        .expect("the template is well-formed")
        .with_key(
            "steps",
            |state: &ProgressState, out: &mut dyn fmt::Write| {
                // Write errors are ignored, because a terminal that rejects text cannot show a bar.
                let _ = out.write_str(&steps(state.pos(), state.len()));
            },
        );
    ProgressBar::with_draw_target(Some(0), draw_target()).with_style(style.progress_chars("=> "))
}

/// The position, such as `3/17 `. Empty as long as the number of steps is unknown.
fn steps(position: u64, length: Option<u64>) -> String {
    match length {
        None | Some(0) => String::new(),
        Some(length) => format!("{position}/{length} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Agreement;
    use crate::measure::Counter;

    #[test]
    fn a_finding_in_a_model_lists_its_inputs() {
        let input = |name: &str, occurrence, agreement| NodeInput {
            name: name.into(),
            occurrence,
            agreement,
        };
        let mut counter = Counter::default();
        counter.add(&[1.0, 2.0], &[1.0, 2.5]);
        let mut node = NodeFinding {
            name: "kq-3".into(),
            occurrence: 1,
            decode: 0,
            layer: Some(3),
            op: Some("MUL_MAT".into()),
            measures: counter.measures(),
            inputs: vec![
                input("Kcur-3", Some(0), Agreement::Identical),
                input("KQ_mask", None, Agreement::Given),
            ],
            op_attributed: true,
        };
        let print = |node: &NodeFinding| {
            let finding = Finding {
                node: Some(node.clone()),
                ..Finding::new(
                    node.name.clone(),
                    "element [1, 0, 0, 0] of [2, 1, 1, 1]",
                    Observed::from(2.0f32),
                    Observed::from(2.5f32),
                    &crate::rerun::Rerun::of_level(crate::levels::Level::Node),
                )
            };
            let mut out = Vec::new();
            super::finding(&finding, "harness check --level node", &mut out).unwrap();
            crate::cli::terminal::plain(str::from_utf8(&out).unwrap())
        };
        insta::assert_snapshot!("node_attributed", print(&node));
        node.inputs[0].agreement = Agreement::Differs;
        node.op_attributed = false;
        insta::assert_snapshot!("node_not_attributed", print(&node));
    }

    #[test]
    fn a_bar_without_steps_counts_none() {
        assert_eq!((steps(0, None), steps(0, Some(0))), Default::default());
        assert_eq!(steps(3, Some(17)), "3/17 ");
    }

    #[test]
    fn numbers_are_formatted_for_people() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([0.0, 1.0, 0.99987].map(measure), ["0", "1", "0.999870"]);
        assert_eq!(measure(3.25e-5), "3.25e-5");
    }
}
