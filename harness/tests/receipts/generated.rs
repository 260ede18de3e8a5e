//! Receipts made of numbers that a property test chooses, by the same code that makes them of runs.

use harness::case_record::CaseRecord;
use harness::cause::{Cause, Extent, Fault};
use harness::finding::{Agreement, Finding, NodeFinding, NodeInput, Observed};
use harness::ladder::{RungReport, Timing};
use harness::measure::{LogitMeter, Measures, Meter};
use harness::outcome::{LayerSummary, LogitComparison, NodeSummary, Omission, Outcome, Rung};
use harness::probe::Lut;
use harness::receipt::{
    Caught, CheckParameters, CheckSection, DECLARED, FuzzFinding, FuzzParameters, FuzzPart,
    FuzzSection, KernelMistake, LayoutRecord, MistakesParameters, MistakesSection, ModelInfo,
    ModelMistakeRecord, OracleInfo, Receipt, Recorder, Section, TensorInfo, Work,
};
use harness::shard::Shard;
use harness::verdict::{Blame, Verdict};
use proptest::prelude::*;
use qk256::format::I2_S_GROUP128;

/// Pairs of a reference and how far the candidate is off.
pub(crate) type Pairs = Vec<(i16, i8)>;

/// What one shard of a generated check found: pairs of rung `block`, pairs of rung `tensor`.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) block: Pairs,
    pub(crate) tensor: Pairs,
}

/// What a few shards found.
pub(crate) fn found() -> impl Strategy<Value = Vec<Found>> {
    let pair = (any::<i16>(), prop_oneof![4 => Just(0i8), 1 => any::<i8>()]);
    let pairs = prop::collection::vec(pair, 0..12);
    let one = (pairs.clone(), pairs).prop_map(|(block, tensor)| Found { block, tensor });
    prop::collection::vec(one, 1..6)
}

pub(crate) fn measures(pairs: &Pairs) -> Measures {
    let (a, b): (Vec<f32>, Vec<f32>) = pairs
        .iter()
        .map(|&(a, off)| (f32::from(a) / 7.0, f32::from(a) / 7.0 + f32::from(off)))
        .unzip();
    let mut meter = Meter::default();
    meter.add(&a, &b);
    meter.measures()
}

fn integers(pairs: &Pairs) -> Measures {
    let (a, b): (Vec<i64>, Vec<i64>) = pairs
        .iter()
        .map(|&(a, off)| (i64::from(a), i64::from(a) + i64::from(off)))
        .unzip();
    let mut meter = Meter::default();
    meter.add_integers(&a, &b);
    meter.measures()
}

/// The outcome of a pair of sides, with a finding if it differs.
fn outcome(rung: Rung, reference: &str, measures: Measures, floor: Option<Measures>) -> Outcome {
    let mut outcome = Outcome {
        rung,
        format: Some(I2_S_GROUP128.id.into()),
        candidate: "i2_s.group128.scalar".into(),
        reference: reference.into(),
        graph: None,
        verdict: Verdict::Skipped,
        measures,
        noise_floor: floor,
        findings: Vec::new(),
        nodes: Vec::new(),
        logits: None,
        omitted: (measures.comparisons == 0).then(|| Omission::skipped("nothing to compare")),
        lost: Vec::new(),
        limit: None,
    };
    outcome.verdict = outcome.follows();
    if outcome.verdict == Verdict::Divergent {
        outcome.findings.push(finding());
    }
    outcome
}

fn finding() -> Finding {
    Finding {
        subject: "a tensor".into(),
        place: "row 0".into(),
        expected: Observed::from(1.0f32),
        actual: Observed::from(1.5f32),
        truth: Some(1.0),
        blame: Blame::CandidateWrong,
        node: None,
        cause: Some(Cause {
            side: "i2_s.group128.scalar".into(),
            fault: Fault::ScaleRatio { ratio: 1.5 },
            only_in: Some(Extent {
                operation: None,
                least_batch: Some(2),
                most_batch: None,
            }),
            explained: 3,
            wrong: 4,
        }),
        reproduce: "harness check".into(),
        input: Some(CaseRecord {
            format: I2_S_GROUP128.id.into(),
            flavour: I2_S_GROUP128.native_flavour().name().into(),
            rows: 1,
            cols: 128,
            batch: 1,
            threads: 1,
            shift: [0, 0],
            codes: "2".repeat(128),
            scales: "3f800000".into(),
            activation_codes: Some("01".repeat(128)),
            activation_values: None,
        }),
        case: None,
    }
}

pub(crate) fn oracles() -> Vec<OracleInfo> {
    let oracle = |id: &str| OracleInfo {
        id: id.into(),
        upstream: "somewhere".into(),
        version: "1.2.3".into(),
        checksum: "0a".repeat(32),
        compiler: "a compiler".into(),
        flags: "-O3".into(),
        instruction_set: vec!["avx2".into()],
    };
    vec![oracle("first/build"), oracle("second/build")]
}

pub(crate) fn model() -> ModelInfo {
    ModelInfo {
        path: String::new(),
        sha256: "1b".repeat(32),
        bytes: 4096,
        unused_bytes: 0,
        architecture: Some("bitnet".into()),
        tensors: vec![TensorInfo {
            name: "blk.0.attn_q.weight".into(),
            format: I2_S_GROUP128.id.into(),
            flavour: "qk256".into(),
            rows: 4,
            cols: 256,
        }],
    }
}

pub(crate) fn parameters(rungs: Vec<Rung>) -> CheckParameters {
    CheckParameters {
        rungs,
        oracles: Vec::new(),
        kernels: Vec::new(),
        tokens: None,
        prompt: None,
        threads: 1,
        seed: 1,
    }
}

fn run(section: Section, shard: Shard) -> harness::receipt::Run {
    let model = (section == Section::Check).then(String::new);
    let oracles = oracles().into_iter().map(|oracle| oracle.id).collect();
    let timings = vec![Timing {
        step: "block".into(),
        seconds: 0.5,
    }];
    let mut run = Recorder::start().finish(section, shard, model, oracles, timings);
    run.calls.insert("i2_s.group128.scalar".into(), 12);
    run
}

/// The receipt of one shard of a check.
pub(crate) fn check(shard: Shard, found: &Found) -> Receipt {
    let (block, tensor) = (integers(&found.block), measures(&found.tensor));
    let floor: Pairs = found.tensor.iter().map(|&(a, off)| (a, off / 3)).collect();
    let rungs = vec![
        RungReport::new(
            Rung::Block,
            vec![outcome(Rung::Block, "first/build", block, None)],
        ),
        RungReport::new(
            Rung::Tensor,
            vec![
                outcome(Rung::Tensor, "first/build", tensor, None),
                outcome(Rung::Tensor, "second/build", tensor, Some(measures(&floor))),
            ],
        ),
    ];
    checked(shard, rungs)
}

fn checked(shard: Shard, rungs: Vec<RungReport>) -> Receipt {
    let lut = Lut::declared(&I2_S_GROUP128).expect("the format has a table");
    let section = CheckSection {
        parameters: parameters(rungs.iter().map(|report| report.rung).collect()),
        shards: shard.into(),
        verdict: Verdict::overall(rungs.iter().map(|report| report.verdict)),
        rungs,
        parts: Vec::new(),
        input_fault: None,
        inference: None,
        layouts: vec![LayoutRecord::new(I2_S_GROUP128.id, DECLARED, &lut)],
        not_available: vec!["oracle third/build: no AVX-512".into()],
    };
    let work = Work::Check(section);
    Receipt::new(run(Section::Check, shard), work, Some(model()), oracles())
        .expect("tests are built in the repository, or with HARNESS_COMMIT set")
}

/// A check of all rungs with everything that one can hold: nodes, logits, findings in nodes.
pub(crate) fn rich_check() -> Receipt {
    let pairs: Pairs = (-20..20)
        .map(|i| (i * 11, if i % 5 == 0 { 3 } else { 0 }))
        .collect();
    let same: Pairs = pairs.iter().map(|&(a, _)| (a, 0)).collect();
    let (off, equal) = (measures(&pairs), measures(&same));
    let (before, after): (Pairs, Pairs) = pairs.iter().partition(|(_, off)| *off == 0);
    let mut node = outcome(Rung::Node, "first/build", off, None);
    node.graph = Some("llama.cpp".into());
    node.nodes = vec![NodeSummary {
        kind: "attn_norm".into(),
        op: Some("MUL".into()),
        nodes: 4,
        identical: 2,
        lacking: 0,
        measures: off,
        layers: vec![
            LayerSummary::new(0, &measures(&before)),
            LayerSummary::new(1, &measures(&after)),
        ],
    }];
    node.findings[0].node = Some(NodeFinding {
        name: "attn_norm-1".into(),
        occurrence: 0,
        decode: 0,
        layer: Some(1),
        op: Some("MUL".into()),
        measures: off,
        inputs: vec![NodeInput {
            name: "inp_embd".into(),
            occurrence: Some(0),
            agreement: Agreement::Identical,
        }],
        op_blamed: true,
    });
    let mut meter = LogitMeter::default();
    meter.add(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.5, 4.0]);
    meter.add(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
    let mut logits = outcome(Rung::Logits, "second/build", off, Some(off));
    logits.logits = Some(LogitComparison {
        measures: meter.measures(),
        noise_floor: Some(meter.measures()),
    });
    let rungs = vec![
        RungReport::new(
            Rung::Block,
            vec![outcome(Rung::Block, "first/build", integers(&pairs), None)],
        ),
        RungReport::new(
            Rung::Tensor,
            vec![outcome(Rung::Tensor, "first/build", equal, None)],
        ),
        RungReport::new(Rung::Node, vec![node]),
        RungReport::new(Rung::Logits, vec![logits]),
    ];
    checked(Shard::WHOLE, rungs)
}

/// The receipt of one shard of a campaign, with a finding.
pub(crate) fn fuzz(shard: Shard) -> Receipt {
    let mut section = FuzzSection {
        parameters: FuzzParameters {
            seed: 7,
            start: 100,
            cases: Some(50),
            seconds: None,
            oracles: Vec::new(),
            kernels: Vec::new(),
        },
        shards: shard.into(),
        verdict: Verdict::Skipped,
        cases: 0,
        comparisons: 0,
        known_divergences: 0,
        parts: vec![FuzzPart {
            shard: shard.index,
            cases: 50,
            comparisons: 12_345,
            known_divergences: 2,
        }],
        findings: vec![FuzzFinding {
            case: 100 + shard.index - 1 + 3 * shard.count,
            candidate: "i2_s.group128.scalar".into(),
            reference: "first/build".into(),
            finding: finding(),
        }],
        not_available: Vec::new(),
    };
    section.add_up();
    let work = Work::Fuzz(section);
    Receipt::new(run(Section::Fuzz, shard), work, None, oracles()).expect("a commit is known")
}

/// The receipt of the planted mistakes.
pub(crate) fn mistakes() -> Receipt {
    let mut section = MistakesSection {
        parameters: MistakesParameters {
            oracles: Vec::new(),
            seed: 1,
        },
        verdict: Verdict::Skipped,
        planted: 0,
        caught: 0,
        named: 0,
        kernels: vec![KernelMistake {
            mistake: "tail-dropped".into(),
            story: "the tail is dropped".into(),
            format: I2_S_GROUP128.id.into(),
            cosine_similarity: 0.97,
            caught: Caught {
                cosine: true,
                nmse: true,
                ulp: true,
                integers: true,
                lut: false,
                gate: true,
            },
            blames: vec![Blame::CandidateWrong],
            causes: vec![Some(Fault::ScaleMissing {})],
            named: true,
        }],
        models: vec![ModelMistakeRecord {
            mistake: "sub-norm-skipped".into(),
            story: "a norm is skipped".into(),
            cosine_similarity: 0.5,
            kl_divergence: 0.25,
            top1_agree: 0.75,
            first_node: None,
            located: true,
            causes: vec![Some(Fault::ScaleInverted {})],
            named: true,
            gate: true,
        }],
        not_available: Vec::new(),
    };
    section.add_up();
    let work = Work::Mistakes(section);
    let run = run(Section::Mistakes, Shard::WHOLE);
    Receipt::new(run, work, None, oracles()).expect("a commit is known")
}
