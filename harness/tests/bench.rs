//! `harness bench`: what it measures and reports. How fast anything is, no test says.

mod common;

use common::{assert_code, harness, oracle_runs, stderr, stdout};
use serde_json::Value;
use tempfile::tempdir;

/// A median with its interval, of at least as many samples as 95 % take.
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

#[test]
fn a_quick_run_measures_every_kernel_against_every_oracle_and_both_roofs() {
    if !oracle_runs() {
        return;
    }
    let folder = tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let extra = "i2_s.group64.scalar";
    let output = harness(&[
        "bench",
        "--quick",
        "--json",
        json.to_str().unwrap(),
        "--kernel",
        extra,
    ]);
    assert_code(&output, 0);
    let table = stdout(&output);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();

    let oracles = report["oracles"].as_array().unwrap();
    let runnable = cpp_shim::builds()
        .iter()
        .filter(|build| build.availability().is_ok());
    assert_eq!(oracles.len(), runnable.count());
    for oracle in oracles {
        assert_eq!(oracle["checksum"].as_str().unwrap().len(), 64);
        assert!(table.contains(oracle["id"].as_str().unwrap()), "{table}");
    }

    let rows = report["rows"].as_array().unwrap();
    // Two GEMV and a GEMM of both layouts of I2_S, one GEMV of the other formats, on one thread and on two.
    assert_eq!(rows.len(), (2 * 3 + 2) * 2);
    for row in rows {
        let kernel = row["kernel"].as_str().unwrap();
        assert!(table.contains(kernel), "{kernel} in\n{table}");
        let time = assert_median(&row["time"]["seconds"]);
        assert_eq!(row["oracles"].as_array().unwrap().len(), oracles.len());
        for versus in row["oracles"].as_array().unwrap() {
            assert_median(&versus["time"]["seconds"]);
            assert_median(&versus["ratio"]);
            assert!(versus["nmse"].as_f64().unwrap() <= 5e-4, "{row}");
        }
        assert_median(&row["read_roof"]["share"]);
        assert!(row["read_roof"]["bytes_per_second"].as_f64().unwrap() > 0.0 && time > 0.0);
        if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            assert_median(&row["multiply_add_roof"]["share"]);
        }
        let beyond = row["rows"] == 8192;
        assert_eq!(row["copies"].as_u64().unwrap() > 1, beyond, "{row}");
    }
    for format in ["i2_s.group128", "i2_s.group64", "tq2_0", "tq1_0"] {
        let threads = rows
            .iter()
            .filter(|row| row["format"] == format)
            .map(|row| &row["threads"]);
        assert!(
            threads.clone().any(|n| *n == 1) && threads.clone().any(|n| *n == 2),
            "{format}"
        );
    }
    // The kernel and each oracle, on each number of threads.
    let costs = report["call_costs"].as_array().unwrap();
    assert_eq!(costs.len(), (1 + oracles.len()) * 2);
    for cost in costs {
        assert_median(&cost["seconds"]);
    }
    assert!(report["environment"]["cpu"].is_string() && report["timestamp"].is_string());
}

#[test]
fn what_cannot_be_timed_is_refused() {
    if !oracle_runs() {
        return;
    }
    for (args, told) in [
        (["--kernel", "i2_s.group128.abacus"], "no kernel"),
        (["--oracle", "llama.cpp/imagined"], "no oracle"),
        (["--threads", "0"], "0"),
        (["--threads", "1,many"], "many"),
    ] {
        let output = harness(&["bench", "--quick", args[0], args[1]]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}
