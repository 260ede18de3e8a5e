//! Section of the provenance: commits, oracles, machines, kernels and runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{join, short};
use crate::printable;
use crate::receipt::{Environment, OracleInfo, Receipt, Run};
use crate::report::collection::Collection;
use crate::report::page::{Block, Line, Rows, Section};
use crate::wording::count;

/// The section.
pub(super) fn section(collection: &Collection) -> Section {
    let receipts: Vec<&Receipt> = collection.receipts().collect();
    let runs = receipts.iter().copied();
    let runs = runs.flat_map(|receipt| receipt.harness.runs.iter().map(move |run| (receipt, run)));
    let runs: Vec<(&Receipt, &Run)> = runs.collect();
    let commits: BTreeSet<&str> = receipts.iter().map(|r| r.harness.commit.as_str()).collect();
    let schemas: BTreeSet<&str> = receipts.iter().map(|r| r.schema_version.as_str()).collect();
    let mut line = Line::text("Built from commit ");
    for (i, commit) in commits.iter().enumerate() {
        line = if i == 0 { line } else { line.and(", ") }.and_code(commit);
    }
    line = line.and(format!("; receipts of schema {}.", join(schemas, ", ")));
    let blocks = vec![
        Block::text(line),
        oracles(&receipts),
        machines(&runs),
        kernels(&runs),
        Rows::new("Runs", &runs)
            .column("section", |(_, run)| run.section.name())
            .column("shard", |(_, run)| run.shard.to_string())
            .column("model", |(receipt, run)| receipt.model_of(run.section))
            .column("ended", |(_, run)| run.timestamp.as_str())
            .column("seconds#", |(_, run)| format!("{:.1}", run.seconds))
            .column("oracles", |(_, run)| run.oracles.join(", "))
            .column("receipt's digest", |(receipt, _)| {
                Line::code(short(&receipt.harness.digest))
            })
            .block(),
        commands(&runs),
    ];
    super::section("provenance", "Provenance", blocks)
}

fn oracles(receipts: &[&Receipt]) -> Block {
    let oracles = receipts.iter().flat_map(|r| &r.validation.oracles);
    let mut oracles: Vec<&OracleInfo> = oracles.collect();
    oracles.sort_by_key(|oracle| format!("{oracle:?}"));
    oracles.dedup();
    Rows::new("Oracles", &oracles)
        .column("oracle", |oracle| Line::code(&oracle.id))
        .column("upstream", |oracle| oracle.upstream.as_str())
        .column("version", |oracle| oracle.version.as_str())
        .column("compiler", |oracle| oracle.compiler.as_str())
        .column("flags", |oracle| Line::code(&oracle.flags))
        .column("instruction set", |oracle| oracle.instruction_set.join(" "))
        .column("checksum", |oracle| Line::code(short(&oracle.checksum)))
        .block()
}

fn machines(runs: &[(&Receipt, &Run)]) -> Block {
    let mut machines: Vec<&Environment> = runs.iter().map(|(_, run)| &run.environment).collect();
    machines.sort_by_key(|machine| format!("{machine:?}"));
    machines.dedup();
    Rows::new("Machines", &machines)
        .column("CPU", |machine| machine.cpu.as_str())
        .column("architecture", |machine| machine.arch.as_str())
        .column("system", |machine| machine.os.as_str())
        .column("threads#", |machine| machine.threads.to_string())
        .column("features", |machine| machine.cpu_features.join(" "))
        .column("compiler", |machine| machine.rustc.as_str())
        .column("harness", |machine| machine.harness.as_str())
        .column("order of sums", |machine| machine.sum_order.as_str())
        .block()
}

fn kernels(runs: &[(&Receipt, &Run)]) -> Block {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for (kernel, n) in runs.iter().flat_map(|(_, run)| &run.calls) {
        let sum = calls.entry(kernel).or_default();
        *sum = sum.saturating_add(*n);
    }
    let calls: Vec<(&str, u64)> = calls.into_iter().collect();
    Rows::new("Kernels that executed, as the dispatcher counted", &calls)
        .column("kernel", |(kernel, _)| Line::code(kernel))
        .column("calls#", |(_, n)| count(*n))
        .block()
}

/// All command lines without duplicates.
fn commands(runs: &[(&Receipt, &Run)]) -> Block {
    let command = |run: &Run| printable::line(&run.command.join(" ")).into_owned();
    let commands: BTreeSet<String> = runs.iter().map(|(_, run)| command(run)).collect();
    let summary = format!("Command lines: {}", commands.len());
    Block::fold(summary, commands.into_iter().map(Block::Command).collect())
}
