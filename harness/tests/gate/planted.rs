//! A mistake that is planted in a kernel makes the gate red, and the gate says where.

use harness::baseline::Baseline;
use harness::fuzz;
use harness::gate::Status;
use harness::ladder;
use harness::mistaken::{Evaluator, Hooks, MISTAKES};
use harness::model::Model;
use harness::outcome::Rung;
use harness::receipt::{CheckSection, ModelInfo, OracleInfo, Receipt, Recorder, Section, Work};
use harness::shard::Shard;
use harness::side::{Candidate, OracleSide, Reference, Sides, reference_layout};
use harness::synth::DEFAULT_RECIPE;
use harness::task::Task;
use indicatif::ProgressBar;
use qk256::format::I2_S_GROUP128;

use crate::common::{ORACLE, generate};
use crate::generated::parameters;
use crate::made::judged;
use testing::test;

/// The receipt of a check of a kernel with these hooks.
fn checked(name: &'static str, hooks: Hooks) -> Receipt {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&generate(DEFAULT_RECIPE, folder.path())).unwrap();
    let available = cpp_shim::builds()
        .iter()
        .filter(|build| build.availability().is_ok());
    let references: Vec<Reference> = available
        .map(|build| Reference::oracle(OracleSide::new(build.load().unwrap()), true))
        .collect();
    let descriptions = references
        .iter()
        .filter_map(|reference| reference.description.as_ref());
    let oracles: Vec<OracleInfo> = descriptions.map(OracleInfo::from).collect();
    let sides = Sides {
        references,
        candidates: vec![Candidate {
            side: Box::new(Evaluator::new(name, &I2_S_GROUP128, hooks)),
            format: &I2_S_GROUP128,
            slow: true,
        }],
        engines: Vec::new(),
    };
    let task = Task {
        model: String::new(),
        tensors: model.ternary_tensors(reference_layout()).unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: ProgressBar::hidden(),
    };
    let rungs = [Rung::Lut, Rung::Block];
    let recorder = Recorder::start();
    let mut climb = ladder::climb(&rungs, &sides, &task);
    for outcome in climb
        .rungs
        .iter_mut()
        .flat_map(|report| &mut report.outcomes)
    {
        fuzz::keep(outcome, &sides, None).expect("nothing is written");
    }
    let section = CheckSection {
        parameters: parameters(rungs.to_vec()),
        shards: Shard::WHOLE.into(),
        verdict: climb.verdict,
        rungs: climb.rungs,
        parts: Vec::new(),
        input_fault: None,
        inference: None,
        layouts: Vec::new(),
        not_available: Vec::new(),
    };
    let ids = oracles.iter().map(|oracle| oracle.id.clone()).collect();
    let run = recorder.finish(
        Section::Check,
        Shard::WHOLE,
        Some(String::new()),
        ids,
        climb.timings,
    );
    let info = ModelInfo::of(&model, &task).unwrap();
    let receipt = Receipt::new(run, Work::Check(section), Some(info), oracles).unwrap();
    receipt.verify().expect("the receipt of a real run");
    receipt
}

#[test(needs(ORACLE))]
fn a_planted_mistake_turns_the_gate_red_with_its_place() {
    let right = [checked("kernel", Hooks::RIGHT)];
    let baseline = Baseline::of(&right);
    assert!(judged(&baseline, &right).is_passed());
    let mistake = MISTAKES
        .iter()
        .find(|mistake| mistake.name == "reversed-shifts")
        .expect("the mistake is planted");
    let judgement = judged(&baseline, &[checked("kernel", mistake.hooks)]);
    let (criterion, point) = judgement.failures().next().expect("the gate is red");
    assert_eq!(criterion.name, "ladder");
    assert!(
        point.what.contains("kernel against bitnet.cpp"),
        "{}",
        point.what
    );
    assert!(matches!(&point.status, Status::Failed(why) if why.contains("differ")));
    let caused = judgement.failures().flat_map(|(_, point)| &point.findings);
    let causes: Vec<String> = caused
        .filter_map(|finding| Some(finding.cause.as_ref()?.to_string()))
        .collect();
    let told = |cause: &String| cause.contains("slots");
    assert!(causes.iter().any(told), "{causes:#?}");
}
