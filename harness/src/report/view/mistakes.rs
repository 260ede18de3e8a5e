//! The kill matrix: which measure catches which planted mistake.

use std::collections::BTreeMap;

use crate::receipt::{Caught, KernelMistake, ModelMistakeRecord, Section as Work};
use crate::report::collection::Collection;
use crate::report::page::{Block, Inline, Line, Section, Table};

/// A measure, and what it says of a mistake.
type Measure = (&'static str, fn(&Caught) -> bool);

/// What could stand alone in place of the gate, and the gate.
const MEASURES: [Measure; 6] = [
    ("cosine", |caught| caught.cosine),
    ("nmse", |caught| caught.nmse),
    ("ULP", |caught| caught.ulp),
    ("integers", |caught| caught.integers),
    ("table", |caught| caught.lut),
    ("gate", |caught| caught.gate),
];

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let mut blocks = Vec::new();
    for receipt in collection.current(Work::Mistakes) {
        let Some(matrix) = &receipt.harness.mistakes else {
            continue;
        };
        let alone = MEASURES.iter().filter(|(name, _)| *name != "gate");
        let alone: Vec<String> = alone
            .map(|(name, catches)| {
                let caught = matrix.kernels.iter().filter(|row| catches(&row.caught));
                format!("{name} {}", caught.count())
            })
            .collect();
        let words = format!(
            "Every mistake below was planted on purpose, to show that the harness can fail. The gate, which is all \
             rungs together, caught {} of {}, and the diagnosis named the cause of {}. Of {} in kernels, a measure \
             alone would have caught: {}.",
            matrix.caught,
            matrix.planted,
            matrix.named,
            matrix.kernels.len(),
            alone.join(", ")
        );
        blocks.push(Block::Text(Line::text(words)));
        blocks.push(kernels(&matrix.kernels));
        if !matrix.models.is_empty() {
            blocks.push(models(&matrix.models));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Text(Line::text("No receipt has planted mistakes.")));
    }
    super::section("mistakes", "Kill matrix", blocks)
}

fn kernels(rows: &[KernelMistake]) -> Block {
    let mut mistakes: BTreeMap<&str, Vec<&KernelMistake>> = BTreeMap::new();
    for row in rows {
        mistakes.entry(&row.mistake).or_default().push(row);
    }
    let mut headings = vec!["mistake in a kernel", "formats#", "lowest cosine#"];
    headings.extend(MEASURES.map(|(name, _)| name));
    headings.extend(["cause", "how it comes about"]);
    let mut table = Table::new(
        "Mistakes in kernels, and which measure alone catches them",
        &headings,
    );
    for (mistake, rows) in mistakes {
        let cosine = rows.iter().map(|row| row.cosine_similarity);
        let mut cells = vec![
            Line::code(mistake),
            Line::text(rows.len().to_string()),
            Line::text(format!("{:.4}", cosine.fold(1.0, f64::min))),
        ];
        cells.extend(MEASURES.map(|(_, catches)| {
            let n = rows.iter().filter(|row| catches(&row.caught)).count();
            match n {
                0 => word(false, "caught", "missed"),
                n if n == rows.len() => word(true, "caught", "missed"),
                n => Line::text(format!("{n} of {}", rows.len())),
            }
        }));
        let named = rows.iter().all(|row| row.named);
        cells.push(word(named, "named", "not named"));
        cells.push(Line::text(
            rows.first().map_or("", |row| row.story.as_str()),
        ));
        table.row(cells);
    }
    // The matrix is the picture of the section: it is never folded.
    Block::Table(table)
}

fn models(rows: &[ModelMistakeRecord]) -> Block {
    let headings = [
        "mistake in a model",
        "logits' cosine#",
        "KL, nats#",
        "top-1#",
        "first node",
        "operation",
        "located",
        "gate",
        "cause",
        "how it comes about",
    ];
    let mut table = Table::new(
        "Mistakes in running a model, and where they were located",
        &headings,
    );
    for row in rows {
        let node = row.first_node.as_ref();
        table.row([
            Line::code(&row.mistake),
            Line::text(format!("{:.4}", row.cosine_similarity)),
            Line::text(format!("{:.4}", row.kl_divergence)),
            Line::text(format!("{:.3}", row.top1_agree)),
            node.map_or(Line::text("-"), |node| Line::code(&node.name)),
            Line::text(node.and_then(|node| node.op.as_deref()).unwrap_or("-")),
            word(row.located, "located", "not located"),
            word(row.gate, "caught", "missed"),
            word(row.named, "named", "not named"),
            Line::text(&row.story),
        ]);
    }
    Block::Table(table)
}

fn word(yes: bool, is: &'static str, is_not: &'static str) -> Line {
    Line(vec![Inline::Mark(yes, if yes { is } else { is_not })])
}
