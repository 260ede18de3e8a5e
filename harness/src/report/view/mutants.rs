//! Section of the mutation matrix: the measures that catch each mutant.

use std::collections::BTreeMap;

use crate::receipt::{Caught, KernelMutant, ModelMutantRecord, Section as Work};
use crate::report::collection::Collection;
use crate::report::page::{Block, Inline, Line, Section, Table};

/// Name of a measure, and whether it catches a mutant.
type Measure = (&'static str, fn(&Caught) -> bool);

/// The single measures, and the gate.
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
    for receipt in collection.current(Work::Mutants) {
        let Some(matrix) = &receipt.harness.mutants else {
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
            "Mutants are deliberately wrong implementations, which prove that the harness can fail. The gate, which \
             consists of all levels, caught {} of {}, and the diagnosis named the cause of {}. Of the {} in kernels, \
             single measures caught: {}.",
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
        blocks.push(Block::Text(Line::text("No receipt contains mutants.")));
    }
    super::section("mutants", "Mutation matrix", blocks)
}

fn kernels(rows: &[KernelMutant]) -> Block {
    let mut mutants: BTreeMap<&str, Vec<&KernelMutant>> = BTreeMap::new();
    for row in rows {
        mutants.entry(&row.mutant).or_default().push(row);
    }
    let mut headings = vec!["mutant in a kernel", "formats#", "lowest cosine#"];
    headings.extend(MEASURES.map(|(name, _)| name));
    headings.extend(["cause", "description"]);
    let mut table = Table::new(
        "Mutants in kernels, and which measure alone catches them",
        &headings,
    );
    for (mutant, rows) in mutants {
        let cosine = rows.iter().map(|row| row.cosine_similarity);
        let mut cells = vec![
            Line::code(mutant),
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
            rows.first().map_or("", |row| row.description.as_str()),
        ));
        table.row(cells);
    }
    // The matrix is the main content of the section and is never folded.
    Block::Table(table)
}

fn models(rows: &[ModelMutantRecord]) -> Block {
    let headings = [
        "mutant in a model",
        "logits' cosine#",
        "KL, nats#",
        "top-1#",
        "first node",
        "operation",
        "located",
        "gate",
        "cause",
        "description",
    ];
    let mut table = Table::new(
        "Mutants of the forward pass, and where they were located",
        &headings,
    );
    for row in rows {
        let node = row.first_node.as_ref();
        table.row([
            Line::code(&row.mutant),
            Line::text(format!("{:.4}", row.cosine_similarity)),
            Line::text(format!("{:.4}", row.kl_divergence)),
            Line::text(format!("{:.3}", row.top1_agree)),
            node.map_or(Line::text("-"), |node| Line::code(&node.name)),
            Line::text(node.and_then(|node| node.op.as_deref()).unwrap_or("-")),
            word(row.located, "located", "not located"),
            word(row.gate, "caught", "missed"),
            word(row.named, "named", "not named"),
            Line::text(&row.description),
        ]);
    }
    Block::Table(table)
}

fn word(yes: bool, is: &'static str, is_not: &'static str) -> Line {
    Line(vec![Inline::Mark(yes, if yes { is } else { is_not })])
}
