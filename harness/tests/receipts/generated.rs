//! Receipts of generated numbers, made by the same code as receipts of runs.

use harness::case_record::CaseRecord;
use harness::cause::{Cause, Extent, Fault};
use harness::check::{LevelReport, Timing};
use harness::finding::{Agreement, Finding, NodeFinding, NodeInput, Observed};
use harness::levels::Level;
use harness::measure::{Counter, LogitCounter, Measures};
use harness::mutant::{Caught, KernelMutant, ModelMutantRecord};
use harness::outcome::{LayerSummary, LogitComparison, NodeSummary, Omission, Outcome};
use harness::probe::Lut;
use harness::receipt::{
    CheckParameters, CheckSection, Contents, DECLARED, FormatLut, FuzzFinding, FuzzParameters,
    FuzzPart, FuzzSection, ModelInfo, MutantsParameters, MutantsSection, OracleInfo, Receipt,
    Recorder, Section, TensorInfo, Work,
};
use harness::rerun::Rerun;
use harness::shard::Shard;
use harness::verdict::{Attribution, Verdict};
use proptest::prelude::*;
use qk256::format::I2_S_GROUP128;

/// Pairs of an oracle's value and the candidate's difference to it.
pub(crate) type Pairs = Vec<(i16, i8)>;

/// Results of one shard of a generated check: pairs of level `block` and pairs of level `tensor`.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) block: Pairs,
    pub(crate) tensor: Pairs,
}

/// Generates the results of a few shards.
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
    let mut counter = Counter::default();
    counter.add(&a, &b);
    counter.measures()
}

fn integers(pairs: &Pairs) -> Measures {
    let (a, b): (Vec<i64>, Vec<i64>) = pairs
        .iter()
        .map(|&(a, off)| (i64::from(a), i64::from(a) + i64::from(off)))
        .unzip();
    let mut counter = Counter::default();
    counter.add_integers(&a, &b);
    counter.measures()
}

/// The outcome of a pair of implementations, with a finding if it differs.
fn outcome(level: Level, reference: &str, measures: Measures, floor: Option<Measures>) -> Outcome {
    let mut outcome = Outcome {
        level,
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
    outcome.verdict = outcome.derived_verdict();
    if outcome.verdict == Verdict::Divergent {
        outcome.findings.push(finding());
    }
    outcome
}

fn finding() -> Finding {
    Finding {
        truth: Some(1.0),
        attribution: Attribution::CandidateWrong,
        cause: Some(Cause {
            implementation: "i2_s.group128.scalar".into(),
            fault: Fault::ScaleRatio { ratio: 1.5 },
            only_in: Some(Extent {
                operation: None,
                least_batch: Some(2),
                most_batch: None,
            }),
            explained: 3,
            wrong: 4,
        }),
        input: Some(CaseRecord {
            format: I2_S_GROUP128.id.into(),
            variant: I2_S_GROUP128.native_variant().name().into(),
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
        ..Finding::new(
            "a tensor",
            "row 0",
            Observed::from(1.0f32),
            Observed::from(1.5f32),
            &Rerun::of_level(Level::Tensor),
        )
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
        arithmetic: "plain".into(),
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
            variant: "qk256".into(),
            rows: 4,
            cols: 256,
        }],
    }
}

pub(crate) fn parameters(levels: Vec<Level>) -> CheckParameters {
    CheckParameters {
        levels,
        oracles: Vec::new(),
        kernels: Vec::new(),
        candidate: None,
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
    let levels = vec![
        LevelReport::new(
            Level::Block,
            vec![outcome(Level::Block, "first/build", block, None)],
        ),
        LevelReport::new(
            Level::Tensor,
            vec![
                outcome(Level::Tensor, "first/build", tensor, None),
                outcome(
                    Level::Tensor,
                    "second/build",
                    tensor,
                    Some(measures(&floor)),
                ),
            ],
        ),
    ];
    checked(shard, levels)
}

fn checked(shard: Shard, levels: Vec<LevelReport>) -> Receipt {
    let lut = Lut::declared(&I2_S_GROUP128).expect("the format has a table");
    let section = CheckSection {
        parameters: parameters(levels.iter().map(|report| report.level).collect()),
        shards: shard.into(),
        verdict: Verdict::overall(levels.iter().map(|report| report.verdict)),
        levels,
        parts: Vec::new(),
        input_fault: None,
        inference: None,
        layouts: vec![FormatLut {
            format: I2_S_GROUP128.id.into(),
            implementation: DECLARED.into(),
            lut,
        }],
        omitted: vec![Omission::skipped("no AVX-512").of("oracle third/build")],
    };
    let work = Work::Check(Box::new(section));
    Receipt::new(run(Section::Check, shard), work, Some(model()), oracles())
        .expect("tests are built in the repository, or with HARNESS_COMMIT set")
}

/// A check of all levels with everything that a receipt can hold: nodes, logits, findings in nodes.
pub(crate) fn rich_check() -> Receipt {
    let pairs: Pairs = (-20..20)
        .map(|i| (i * 11, if i % 5 == 0 { 3 } else { 0 }))
        .collect();
    let same: Pairs = pairs.iter().map(|&(a, _)| (a, 0)).collect();
    let (off, equal) = (measures(&pairs), measures(&same));
    let (before, after): (Pairs, Pairs) = pairs.iter().partition(|(_, off)| *off == 0);
    let mut node = outcome(Level::Node, "first/build", off, None);
    node.graph = Some("llama.cpp".into());
    node.nodes = vec![NodeSummary {
        kind: "attn_norm".into(),
        op: Some("MUL".into()),
        nodes: 4,
        identical: 2,
        lacking: 0,
        unmatched: 0,
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
        op_attributed: true,
    });
    let mut counter = LogitCounter::default();
    counter.add(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.5, 4.0]);
    counter.add(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
    let mut logits = outcome(Level::Logits, "second/build", off, Some(off));
    logits.logits = Some(LogitComparison {
        measures: counter.measures(),
        noise_floor: Some(counter.measures()),
    });
    let levels = vec![
        LevelReport::new(
            Level::Block,
            vec![outcome(Level::Block, "first/build", integers(&pairs), None)],
        ),
        LevelReport::new(
            Level::Tensor,
            vec![outcome(Level::Tensor, "first/build", equal, None)],
        ),
        LevelReport::new(Level::Node, vec![node]),
        LevelReport::new(Level::Logits, vec![logits]),
    ];
    checked(Shard::WHOLE, levels)
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
        omitted: Vec::new(),
    };
    section.derive(&[]);
    let work = Work::Fuzz(section);
    Receipt::new(run(Section::Fuzz, shard), work, None, oracles()).expect("a commit is known")
}

/// The receipt of the mutants.
pub(crate) fn mutants() -> Receipt {
    let mut section = MutantsSection {
        parameters: MutantsParameters {
            oracles: Vec::new(),
            seed: 1,
        },
        verdict: Verdict::Skipped,
        planted: 0,
        caught: 0,
        named: 0,
        kernels: vec![KernelMutant {
            mutant: "tail-dropped".into(),
            description: "the tail is dropped".into(),
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
            attributions: vec![Attribution::CandidateWrong],
            causes: vec![Some(Fault::ScaleMissing {})],
            named: true,
        }],
        models: vec![ModelMutantRecord {
            mutant: "sub-norm-skipped".into(),
            description: "a norm is skipped".into(),
            cosine_similarity: 0.5,
            kl_divergence: 0.25,
            top1_agree: 0.75,
            first_node: None,
            located: true,
            causes: vec![Some(Fault::ScaleInverted {})],
            named: true,
            gate: true,
        }],
        omitted: Vec::new(),
    };
    section.derive(&[]);
    let work = Work::Mutants(section);
    let run = run(Section::Mutants, Shard::WHOLE);
    Receipt::new(run, work, None, oracles()).expect("a commit is known")
}
