//! A mutant of a kernel makes the gate fail with its location.

use harness::baseline::Baseline;
use harness::check;
use harness::fuzz;
use harness::levels::Level;
use harness::model::Model;
use harness::mutant::{Evaluator, Hooks, MUTANTS};
use harness::participant::{Candidate, Participants, reference_layout};
use harness::progress::Progress;
use harness::receipt::{CheckSection, ModelInfo, OracleInfo, Receipt, Recorder, Section, Work};
use harness::shard::Shard;
use harness::synth::DEFAULT_RECIPE;
use harness::task::Task;
use qk256::format::I2_S_GROUP128;

use crate::common::oracles::references;
use crate::common::{ORACLE, generate};
use crate::generated::parameters;
use crate::made::judged;
use testing::test;

/// The receipt of a check of a kernel with these hooks.
fn checked(name: &'static str, hooks: Hooks) -> Receipt {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&generate(DEFAULT_RECIPE, folder.path())).unwrap();
    let references = references();
    let descriptions = references
        .iter()
        .flat_map(|reference| &reference.description);
    let oracles: Vec<OracleInfo> = descriptions.map(OracleInfo::from).collect();
    let participants = Participants {
        references,
        candidates: vec![Candidate {
            implementation: Box::new(Evaluator::new(name, &I2_S_GROUP128, hooks)),
            format: &I2_S_GROUP128,
            slow: true,
        }],
        engines: Vec::new(),
        upstream: None,
    };
    let task = Task {
        model: String::new(),
        tensors: model.ternary_tensors(reference_layout()).unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: Progress::silent(),
    };
    let levels = [Level::Lut, Level::Block];
    let recorder = Recorder::start();
    let mut check = check::run(&levels, &participants, &task);
    let reports = check.levels.iter_mut();
    for outcome in reports.flat_map(|report| &mut report.outcomes) {
        fuzz::keep(outcome, &participants, None).expect("nothing is written");
    }
    let section = CheckSection {
        parameters: parameters(levels.to_vec()),
        shards: Shard::WHOLE.into(),
        verdict: check.verdict,
        levels: check.levels,
        parts: Vec::new(),
        input_fault: None,
        inference: None,
        layouts: Vec::new(),
        omitted: Vec::new(),
    };
    let ids = oracles.iter().map(|oracle| oracle.id.clone()).collect();
    let (shard, model_name) = (Shard::WHOLE, Some(String::new()));
    let run = recorder.finish(Section::Check, shard, model_name, ids, check.timings);
    let info = ModelInfo::of(&model, &task).unwrap();
    let receipt = Receipt::new(run, Work::Check(Box::new(section)), Some(info), oracles).unwrap();
    receipt.verify().expect("the receipt of a real run");
    receipt
}

#[test(needs(ORACLE))]
fn a_mutant_makes_the_gate_fail_with_its_location() {
    let right = [checked("kernel", Hooks::RIGHT)];
    let baseline = Baseline::of(&right);
    assert!(judged(&baseline, &right).is_passed());
    let mut mutants = MUTANTS.iter();
    let mutant = mutants.find(|mutant| mutant.name == "reversed-shifts");
    let mutant = mutant.expect("the mutant is planted");
    let judgement = judged(&baseline, &[checked("kernel", mutant.hooks)]);
    let (criterion, point) = judgement.failures().next().expect("the gate is red");
    assert_eq!(criterion.name, "levels");
    assert!(
        point.what.contains("kernel against bitnet.cpp"),
        "{point:#?}"
    );
    assert!(point.reason.contains("differ"), "{point:#?}");
    let findings = judgement.failures().flat_map(|(_, point)| &point.findings);
    let causes = findings.flat_map(|finding| &finding.cause);
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    let printed = |cause: &String| cause.contains("slots");
    assert!(causes.iter().any(printed), "{causes:#?}");
}
