//! Section of the provenance: commits, oracles, machines, kernels and runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::printable;
use crate::receipt::{Environment, OracleInfo, Receipt, Run};
use crate::report::collection::{Collection, model_of};
use crate::report::page::{Block, Line, Section, Table};
use crate::wording::count;

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let receipts: Vec<&Receipt> = collection.receipts().collect();
    let commits: BTreeSet<&str> = receipts.iter().map(|r| r.harness.commit.as_str()).collect();
    let schemas: BTreeSet<&str> = receipts.iter().map(|r| r.schema_version.as_str()).collect();
    let mut line = Line::text("Built from commit ");
    for (i, commit) in commits.iter().enumerate() {
        line = if i == 0 { line } else { line.and(", ") }.and_code(commit);
    }
    let schemas: Vec<&str> = schemas.into_iter().collect();
    line = line.and(format!("; receipts of schema {}.", schemas.join(", ")));
    let blocks = vec![
        Block::Text(line),
        oracles(&receipts).block(),
        machines(&receipts).block(),
        kernels(&receipts).block(),
        runs(&receipts).block(),
        commands(&receipts),
    ];
    super::section("provenance", "Provenance", blocks)
}

fn oracles(receipts: &[&Receipt]) -> Table {
    let mut oracles: Vec<&OracleInfo> = receipts
        .iter()
        .flat_map(|r| &r.validation.oracles)
        .collect();
    oracles.sort_by_key(|oracle| format!("{oracle:?}"));
    oracles.dedup();
    let headings = [
        "oracle",
        "upstream",
        "version",
        "compiler",
        "flags",
        "instruction set",
        "checksum",
    ];
    let mut table = Table::new("Oracles", &headings);
    for oracle in oracles {
        table.row([
            Line::code(&oracle.id),
            Line::text(&oracle.upstream),
            Line::text(&oracle.version),
            Line::text(&oracle.compiler),
            Line::code(&oracle.flags),
            Line::text(oracle.instruction_set.join(" ")),
            Line::code(oracle.checksum.get(..12).unwrap_or(&oracle.checksum)),
        ]);
    }
    table
}

fn machines(receipts: &[&Receipt]) -> Table {
    let runs = receipts.iter().flat_map(|receipt| &receipt.harness.runs);
    let mut machines: Vec<&Environment> = runs.map(|run| &run.environment).collect();
    machines.sort_by_key(|machine| format!("{machine:?}"));
    machines.dedup();
    let headings = [
        "CPU",
        "architecture",
        "system",
        "threads#",
        "features",
        "compiler",
        "harness",
        "order of sums",
    ];
    let mut table = Table::new("Machines", &headings);
    for machine in machines {
        table.row([
            Line::text(&machine.cpu),
            Line::text(&machine.arch),
            Line::text(&machine.os),
            Line::text(machine.threads.to_string()),
            Line::text(machine.cpu_features.join(" ")),
            Line::text(&machine.rustc),
            Line::text(&machine.harness),
            Line::text(&machine.sum_order),
        ]);
    }
    table
}

fn kernels(receipts: &[&Receipt]) -> Table {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for (kernel, n) in receipts
        .iter()
        .flat_map(|r| &r.harness.runs)
        .flat_map(|run| &run.calls)
    {
        let sum = calls.entry(kernel).or_default();
        *sum = sum.saturating_add(*n);
    }
    let mut table = Table::new(
        "Kernels that executed, as the dispatcher counted",
        &["kernel", "calls#"],
    );
    for (kernel, n) in calls {
        table.row([Line::code(kernel), Line::text(count(n))]);
    }
    table
}

fn runs(receipts: &[&Receipt]) -> Table {
    let headings = [
        "section",
        "shard",
        "model",
        "ended",
        "seconds#",
        "oracles",
        "receipt's digest",
    ];
    let mut table = Table::new("Runs", &headings);
    for receipt in receipts {
        for run in &receipt.harness.runs {
            table.row([
                Line::text(run.section.name()),
                Line::text(run.shard.to_string()),
                Line::text(model_of(receipt, run.section)),
                Line::text(&run.timestamp),
                Line::text(format!("{:.1}", run.seconds)),
                Line::text(run.oracles.join(", ")),
                Line::code(receipt.harness.digest.get(..12).unwrap_or("")),
            ]);
        }
    }
    table
}

/// All command lines without duplicates.
fn commands(receipts: &[&Receipt]) -> Block {
    let runs = receipts.iter().flat_map(|receipt| &receipt.harness.runs);
    let command = |run: &Run| printable::line(&run.command.join(" ")).into_owned();
    let commands: BTreeSet<String> = runs.map(command).collect();
    Block::Fold {
        summary: Line::text(format!("Command lines: {}", commands.len())),
        blocks: commands.into_iter().map(Block::Command).collect(),
    }
}
