//! Passing receipts and changes to them.

use harness::baseline::Baseline;
use harness::bench::report::{Computation, OPTIMIZED, Product, Report, Residence, Row};
use harness::bench::statistics::Median;
use harness::bench::timing::{CallCost, ReadRoof, Roofs, Timing, Versus};
use harness::gate::{Case, Judgement, judge};
use harness::receipt::{BenchParameters, BenchSection, Receipt, Recorder, Section, Work};
use harness::shard::Shard;
use qk256::kernel::Isa;

use crate::generated::{self, Found};

/// Changes a receipt consistently.
pub(crate) fn changed(mut receipt: Receipt, change: impl FnOnce(&mut Receipt)) -> Receipt {
    change(&mut receipt);
    receipt.renew_digest();
    receipt.verify().expect("the description is consistent");
    receipt
}

/// Makes a receipt independent of the machine that the tests run on.
fn on_one_machine(receipt: Receipt) -> Receipt {
    changed(receipt, |receipt| {
        receipt.harness.commit = "0a".repeat(20);
        for run in &mut receipt.harness.runs {
            run.environment.arch = "x86_64".into();
            run.environment.cpu = "a CPU".into();
            let features = Isa::Avx2.features().iter();
            run.environment.cpu_features = features.map(ToString::to_string).collect();
            run.timestamp = "2025-01-01T00:00:00Z".into();
            run.seconds = 1.0;
            run.calls.insert("i2_s.group128.avx2".into(), 3);
        }
    })
}

pub(crate) fn check() -> Receipt {
    let found = Found {
        block: vec![(1, 0), (2, 0), (3, 0)],
        tensor: vec![(3, 0), (4, 0)],
    };
    on_one_machine(generated::check(Shard::WHOLE, &found))
}

pub(crate) fn fuzz() -> Receipt {
    changed(on_one_machine(generated::fuzz(Shard::WHOLE)), |receipt| {
        receipt.harness.fuzz.as_mut().unwrap().findings.clear();
    })
}

pub(crate) fn mutants() -> Receipt {
    on_one_machine(generated::mutants())
}

pub(crate) fn median(value: f64) -> Median {
    Median {
        value,
        low: value * 0.99,
        high: value * 1.01,
        confidence: 0.95,
        samples: 30,
    }
}

/// A bench in which the kernel is `ratio` times as fast as each oracle.
pub(crate) fn bench(ratio: f64) -> Receipt {
    let of_seconds = |seconds| Timing {
        seconds: median(seconds),
        calls: 10,
    };
    let timing = of_seconds(1e-3 / ratio);
    let versus = |oracle: &str| Versus {
        oracle: oracle.into(),
        time: of_seconds(1e-3),
        ratio: median(ratio),
        nmse: Some(0.0),
    };
    let product = Product {
        operation: "gemv".into(),
        format: "i2_s.group128".into(),
        rows: 64,
        cols: 256,
        batch: 1,
        kernel: "i2_s.group128.avx2".into(),
        weight_bytes: 4096,
        copies: 1,
        residence: Residence::Cache,
    };
    let row = Row {
        computation: Computation::Product(product),
        threads: 1,
        time: timing.clone(),
        oracles: vec![versus("first/build"), versus("second/build")],
        roofs: Roofs {
            read_roof: ReadRoof {
                time: timing.clone(),
                bytes_per_second: 4.096e6,
                share: median(0.5),
            },
            multiply_add_roof: None,
        },
        doubts: Vec::new(),
    };
    let report = Report {
        build: OPTIMIZED.into(),
        last_level_cache: None,
        model: None,
        call_costs: Vec::new(),
        rows: vec![row],
        omitted: Vec::new(),
    };
    let parameters = BenchParameters {
        oracles: Vec::new(),
        model: None,
        kernels: Vec::new(),
        threads: vec![1],
        quick: false,
    };
    let oracles = generated::oracles();
    let ids = oracles.iter().map(|oracle| oracle.id.clone()).collect();
    let run = Recorder::start().finish(Section::Bench, Shard::WHOLE, None, ids, Vec::new());
    let work = Work::Bench(Box::new(BenchSection::new(parameters, report)));
    on_one_machine(Receipt::new(run, work, None, oracles).expect("a commit is known"))
}

/// The bench with each kind of doubt, with the text for it.
pub(crate) fn doubtful(bench: Receipt) -> Vec<(&'static str, Receipt)> {
    type Change = fn(&mut Receipt);
    fn section(receipt: &mut Receipt) -> &mut BenchSection {
        receipt.harness.bench.as_mut().unwrap()
    }
    let ways: [(&str, Change); 6] = [
        ("checked build", |receipt| {
            section(receipt).report.build = "checked".into();
        }),
        ("quick", |receipt| section(receipt).parameters.quick = true),
        ("more threads than cores", |receipt| {
            receipt.harness.runs[0].environment.threads = 0;
        }),
        ("above a roof", |receipt| {
            section(receipt).report.rows[0].roofs.read_roof.share = median(1.63);
        }),
        ("interval wider than 1.5x", |receipt| {
            section(receipt).report.rows[0].oracles[1].ratio.high *= 1.6;
        }),
        ("mostly overhead of calls", |receipt| {
            let report = &mut section(receipt).report;
            report.call_costs.push(CallCost {
                implementation: "i2_s.group128.avx2".into(),
                threads: 1,
                seconds: report.rows[0].time.seconds,
            });
        }),
    ];
    let changed_by = |(words, change)| (words, changed(bench.clone(), change));
    ways.into_iter().map(changed_by).collect()
}

/// One passing receipt of each kind, each with this change.
pub(crate) fn all_with(change: impl Fn(&mut Receipt)) -> Vec<Receipt> {
    let receipts = green().into_iter();
    receipts.map(|receipt| changed(receipt, &change)).collect()
}

/// One passing receipt of each kind.
pub(crate) fn green() -> Vec<Receipt> {
    vec![check(), fuzz(), mutants(), bench(1.2)]
}

pub(crate) fn judged(baseline: &Baseline, receipts: &[Receipt]) -> Judgement {
    judge(&Case::new(baseline, receipts).expect("receipts of one commit"))
}

/// The failures with their criteria.
pub(crate) fn failures(baseline: &Baseline, receipts: &[Receipt]) -> Vec<String> {
    let judgement = judged(baseline, receipts);
    let printed = judgement
        .failures()
        .map(|(criterion, point)| format!("{}: {}: {}", criterion.name, point.what, point.reason));
    printed.collect()
}
