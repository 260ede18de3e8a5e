//! `harness bench`: its measurements and reports. No test depends on the measured speed.

mod common;

use common::oracles::builds;
use common::{ORACLE, assert_code, generate, harness, stderr, stdout};
use serde_json::Value;
use tempfile::tempdir;
use testing::test;

/// Checks a median with its interval, which needs enough samples for 95 % confidence, and returns it.
#[track_caller]
fn assert_median(median: &Value) -> f64 {
    let number = |key: &str| {
        median[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {median}"))
    };
    let (low, value, high) = (number("low"), number("value"), number("high"));
    assert!(0.0 < low && low <= value && value <= high, "{median}");
    assert!(
        number("confidence") >= 0.95 && number("samples") >= 6.0,
        "{median}"
    );
    value
}

#[test(needs(ORACLE))]
fn a_quick_run_measures_every_kernel_against_every_oracle_and_both_roofs() {
    let folder = tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let extra = "i2_s.group64.scalar";
    let output = harness(&[
        "bench",
        "--quick",
        "--receipt",
        json.to_str().unwrap(),
        "--kernel",
        extra,
    ]);
    assert_code(&output, 0);
    let table = stdout(&output);
    let receipt: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let report = &receipt["harness"]["bench"]["report"];

    let oracles = receipt["validation"]["oracles"].as_array().unwrap();
    assert_eq!(oracles.len(), builds().count());
    for oracle in oracles {
        assert_eq!(oracle["checksum"].as_str().unwrap().len(), 64);
        assert!(table.contains(oracle["id"].as_str().unwrap()), "{table}");
    }

    let rows = report["rows"].as_array().unwrap();
    // Two GEMV and a GEMM of both layouts of I2_S, and one GEMV of the other formats, on one thread and on two.
    assert_eq!(rows.len(), (2 * 3 + 2) * 2);
    for row in rows {
        let product = &row["computation"]["product"];
        let kernel = product["kernel"].as_str().unwrap();
        assert!(table.contains(kernel), "{kernel} in\n{table}");
        let time = assert_median(&row["time"]["seconds"]);
        let type_name = product["format"].as_str().unwrap().split('.').next();
        let having = builds().filter(|build| {
            let oracle = build.load().unwrap();
            let mut infos = oracle.description().formats.iter();
            infos.any(|info| Some(info.format.name()) == type_name)
        });
        assert_eq!(row["oracles"].as_array().unwrap().len(), having.count());
        for versus in row["oracles"].as_array().unwrap() {
            assert_median(&versus["time"]["seconds"]);
            assert_median(&versus["ratio"]);
            assert!(versus["nmse"].as_f64().unwrap() <= 5e-4, "{row}");
        }
        assert_median(&row["roofs"]["read_roof"]["share"]);
        assert!(
            row["roofs"]["read_roof"]["bytes_per_second"]
                .as_f64()
                .unwrap()
                > 0.0
                && time > 0.0
        );
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            assert_median(&row["roofs"]["multiply_add_roof"]["share"]);
        }
        let beyond = product["rows"] == 8192;
        assert_eq!(product["copies"].as_u64().unwrap() > 1, beyond, "{row}");
    }
    for format in ["i2_s.group128", "i2_s.group64", "tq2_0", "tq1_0"] {
        let threads = rows
            .iter()
            .filter(|row| row["computation"]["product"]["format"] == format)
            .map(|row| &row["threads"]);
        assert!(
            threads.clone().any(|n| *n == 1) && threads.clone().any(|n| *n == 2),
            "{format}"
        );
    }
    // One for the kernel of the first row and each oracle that has its type, on each number of threads.
    let costs = report["call_costs"].as_array().unwrap();
    let having = rows[0]["oracles"].as_array().unwrap();
    assert_eq!(costs.len(), (1 + having.len()) * 2);
    for cost in costs {
        assert_median(&cost["seconds"]);
    }
    assert!(receipt["environment"]["cpu"].is_string() && receipt["timestamp"].is_string());
}

#[test(needs(ORACLE))]
fn kernels_that_cannot_be_timed_are_refused() {
    for (args, printed) in [
        (["--kernel", "i2_s.group128.abacus"], "no kernel"),
        (["--oracle", "llama.cpp/imagined"], "no oracle"),
        (["--threads", "0"], "0"),
        (["--threads", "1,many"], "many"),
    ] {
        let output = harness(&["bench", "--quick", args[0], args[1]]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(printed), "{}", stderr(&output));
    }
}

#[test(needs(ORACLE))]
fn a_model_is_measured_in_both_phases_against_every_oracle() {
    let folder = tempdir().unwrap();
    let file = generate("tiny-llama-tq2_0", folder.path());
    let json = folder.path().join("bench.json");
    for model in ["tiny-llama-tq2_0", file.to_str().unwrap()] {
        let json = json.to_str().unwrap();
        let output = harness(&["bench", "--quick", "--receipt", json, "--model", model]);
        assert_code(&output, 0);
        let table = stdout(&output);
        let receipt: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
        let report = &receipt["harness"]["bench_model"]["report"];

        let hash = report["model"]["sha256"].as_str().unwrap();
        assert_eq!(
            (report["model"]["name"].as_str(), hash.len()),
            (Some(model), 64)
        );
        let weights = report["model"]["weight_bytes"].as_u64().unwrap();
        assert!(0 < weights && weights < file.metadata().unwrap().len());
        let rows = report["rows"].as_array().unwrap();
        let phases: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["computation"]["evaluation"]["phase"].as_str().unwrap(),
                    row["threads"].as_u64().unwrap(),
                )
            })
            .collect();
        let wanted = [("prefill", 1), ("decode", 1), ("prefill", 2), ("decode", 2)];
        assert_eq!(phases, wanted);
        for row in rows {
            let of = &row["computation"]["evaluation"];
            let (tokens, context) = (of["tokens"].as_u64(), of["context"].as_u64());
            let prefill = of["phase"] == "prefill";
            let wanted = if prefill {
                (Some(8), Some(0))
            } else {
                (Some(1), Some(8))
            };
            assert_eq!((tokens, context), wanted);
            let seconds = assert_median(&row["time"]["seconds"]);
            let rate = format!(" {:.1} ", tokens.unwrap() as f64 / seconds);
            assert!(table.contains(&rate), "{rate} in\n{table}");
            let oracles = row["oracles"].as_array().unwrap();
            let described = receipt["validation"]["oracles"].as_array().unwrap();
            assert_eq!(oracles.len(), described.len());
            for versus in oracles {
                assert_median(&versus["ratio"]);
                assert!(
                    table.contains(versus["oracle"].as_str().unwrap()),
                    "{table}"
                );
                // The logits are bit-identical except for the sign of zeros.
                if versus["oracle"] == "bitnet.cpp/strict" && cfg!(target_arch = "x86_64") {
                    assert_eq!(versus["nmse"], 0.0, "{row}");
                }
            }
            assert_median(&row["roofs"]["read_roof"]["share"]);
        }
    }
}

#[test(needs(ORACLE))]
fn a_model_that_cannot_be_timed_is_refused() {
    for (args, code, printed) in [
        (vec!["--model", "no-such-recipe"], 3, "no-such-recipe"),
        (
            vec!["--model", "no-such-model.gguf"],
            3,
            "no-such-model.gguf",
        ),
        (
            vec!["--model", "--kernel", "i2_s.group128.scalar"],
            2,
            "--kernel",
        ),
    ] {
        let output = harness(&[&["bench", "--quick"], args.as_slice()].concat());
        let error = stderr(&output);
        assert!(error.contains(printed), "{args:?}: {error}");
        assert_code(&output, code);
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
