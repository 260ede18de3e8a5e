//! Section of the mutation matrix: the measures that catch each mutant.

use std::collections::BTreeMap;

use super::join;
use crate::mutant::{Caught, KernelMutant, ModelMutantRecord};
use crate::receipt::Section as Work;
use crate::report::collection::Collection;
use crate::report::page::{Block, Inline, Line, Rows, Section};

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let mut blocks = Vec::new();
    for receipt in collection.current(Work::Mutants) {
        let Some(matrix) = &receipt.harness.mutants else {
            continue;
        };
        let alone = Caught::MEASURES
            .into_iter()
            .filter(|(name, _)| *name != "gate");
        let alone = alone.map(|(name, catches)| {
            let caught = matrix.kernels.iter().filter(|row| catches(&row.caught));
            format!("{name} {}", caught.count())
        });
        let words = format!(
            "Mutants are deliberately wrong implementations, which prove that the harness can fail. The gate, which \
             consists of all levels, caught {} of {}, and the diagnosis named the cause of {}. Of the {} in kernels, \
             single measures caught: {}.",
            matrix.caught,
            matrix.planted,
            matrix.named,
            matrix.kernels.len(),
            join(alone, ", ")
        );
        blocks.push(Block::text(words));
        blocks.push(kernels(&matrix.kernels));
        if !matrix.models.is_empty() {
            blocks.push(models(&matrix.models));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::text("No receipt contains mutants."));
    }
    super::section("mutants", "Mutation matrix", blocks)
}

fn kernels(rows: &[KernelMutant]) -> Block {
    let mut mutants: BTreeMap<&str, Vec<&KernelMutant>> = BTreeMap::new();
    for row in rows {
        mutants.entry(&row.mutant).or_default().push(row);
    }
    let mutants: Vec<(&str, Vec<&KernelMutant>)> = mutants.into_iter().collect();
    let mut table = Rows::new(
        "Mutants in kernels, and which measure alone catches them",
        &mutants,
    )
    .column("mutant in a kernel", |(mutant, _)| Line::code(mutant))
    .column("formats#", |(_, rows)| rows.len().to_string())
    .column("lowest cosine#", |(_, rows)| {
        let cosine = rows.iter().map(|row| row.cosine_similarity);
        format!("{:.4}", cosine.fold(1.0, f64::min))
    });
    for (name, catches) in Caught::MEASURES {
        table = table.column(name, |(_, rows)| {
            match rows.iter().filter(|row| catches(&row.caught)).count() {
                0 => caught(false),
                n if n == rows.len() => caught(true),
                n => Line::text(format!("{n} of {}", rows.len())),
            }
        });
    }
    // The matrix is the main content of the section and is never folded.
    table
        .column("cause", |(_, rows)| named(rows.iter().all(|row| row.named)))
        .column("description", |(_, rows)| {
            rows.first().map_or("", |row| &row.description)
        })
        .unfolded()
}

fn models(rows: &[ModelMutantRecord]) -> Block {
    Rows::new(
        "Mutants of the forward pass, and where they were located",
        rows,
    )
    .column("mutant in a model", |row| Line::code(&row.mutant))
    .column("logits' cosine#", |row| {
        format!("{:.4}", row.cosine_similarity)
    })
    .column("KL, nats#", |row| format!("{:.4}", row.kl_divergence))
    .column("top-1#", |row| format!("{:.3}", row.top1_agree))
    .column("first node", |row| match &row.first_node {
        Some(node) => Line::code(&node.name),
        None => Line::text("-"),
    })
    .column("operation", |row| {
        let node = row.first_node.as_ref();
        node.and_then(|node| node.op.as_deref()).unwrap_or("-")
    })
    .column("located", |row| word(row.located, "located", "not located"))
    .column("gate", |row| caught(row.gate))
    .column("cause", |row| named(row.named))
    .column("description", |row| row.description.as_str())
    .unfolded()
}

fn caught(yes: bool) -> Line {
    word(yes, "caught", "missed")
}

fn named(yes: bool) -> Line {
    word(yes, "named", "not named")
}

fn word(yes: bool, is: &'static str, is_not: &'static str) -> Line {
    Line(vec![Inline::Mark(yes, if yes { is } else { is_not })])
}
