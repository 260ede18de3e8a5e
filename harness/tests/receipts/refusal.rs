//! Verification refuses receipts that were truncated, edited, made elsewhere, or forged.

use std::path::Path;

use harness::cause::Fault;
use harness::outcome::LayerSummary;
use harness::probe::ScaleSite;
use harness::receipt::{Receipt, ReceiptError, SCHEMA_VERSION, merge};
use harness::shard::Shard;
use serde_json::{Value, json};

use crate::common::{assert_code, harness, stderr};
use crate::generated;
use testing::test;

/// A receipt with every section that needs no timing.
fn rich() -> Receipt {
    let others = merge(generated::fuzz(Shard::WHOLE), generated::mutants()).unwrap();
    merge(generated::rich_check(), others).unwrap()
}

fn parse(value: &Value) -> Result<Receipt, ReceiptError> {
    Receipt::parse(value.to_string().as_bytes(), Path::new("a.json"))
}

#[track_caller]
fn refused(text: &str) -> String {
    let parsed = Receipt::parse(text.as_bytes(), Path::new("a.json"));
    let error = parsed.expect_err("this is no receipt").to_string();
    assert!(error.contains("a.json"), "{error}");
    error
}

/// Collects the paths of all leaves, such as `/harness/runs/0/calls`.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                leaves(value, format!("{at}/{}", key.replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                leaves(value, format!("{at}/{i}"), found);
            }
        }
        _ => found.push(at),
    }
}

/// Other values of the same kind.
fn mutations(value: &Value) -> Vec<Value> {
    match value {
        Value::Number(number) if number.is_u64() => {
            let n = number.as_u64().unwrap();
            vec![
                json!(n.wrapping_add(1)),
                json!(n / 2),
                json!(u64::MAX),
                json!(-1),
            ]
        }
        Value::Number(number) => {
            let x = number.as_f64().unwrap();
            vec![
                json!(x * (1.0 + 1e-15) + f64::MIN_POSITIVE),
                json!(-x),
                json!(x + 1.0),
                Value::Null,
            ]
        }
        Value::String(text) if VERDICTS.contains(&text.as_str()) => {
            VERDICTS.iter().map(|verdict| json!(verdict)).collect()
        }
        Value::String(text) => vec![json!(format!("{text}x")), Value::Null],
        Value::Bool(yes) => vec![json!(!yes), Value::Null],
        Value::Null => vec![json!(1), json!(1.5), json!("x")],
        Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

const VERDICTS: [&str; 5] = [
    "exact",
    "within_noise_floor",
    "known_divergence",
    "skipped",
    "divergent",
];

/// Calls `each` for every leaf of a receipt with every mutated value.
fn mutants(receipt: &Receipt, mut each: impl FnMut(&str, &Value, &Value)) {
    let original = serde_json::to_value(receipt).unwrap();
    let mut paths = Vec::new();
    leaves(&original, String::new(), &mut paths);
    assert!(paths.len() > 300, "{}", paths.len());
    for path in paths {
        let value = original.pointer(&path).unwrap();
        for mutation in mutations(value).into_iter().filter(|other| other != value) {
            let mut mutant = original.clone();
            *mutant.pointer_mut(&path).unwrap() = mutation.clone();
            each(&path, &mutation, &mutant);
        }
    }
}

#[test]
fn every_edit_is_refused_or_changes_nothing() {
    let receipt = rich();
    assert_eq!(receipt.verify(), Ok(()));
    let mut refused = 0;
    mutants(&receipt, |path, mutation, mutant| match parse(mutant) {
        Ok(read) => assert_eq!(read, receipt, "{path} is {mutation}"),
        Err(error) => {
            assert!(error.to_string().starts_with("a.json: "), "{error}");
            refused += 1;
        }
    });
    assert!(refused > 1000, "{refused}");
}

/// Collects the paths of all objects.
fn objects(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                objects(value, format!("{at}/{}", key.replace('/', "~1")), found);
            }
            found.push(at);
        }
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                objects(value, format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn unknown_fields_are_refused_everywhere() {
    let mut receipt = rich();
    // Causes with and without fields.
    let causes = [
        Fault::ScaleInverted {},
        Fault::ScaleMissing {},
        Fault::ScaleRatio { ratio: 2.0 },
    ];
    receipt.harness.mutants.as_mut().unwrap().kernels[0].causes = causes.map(Some).into();
    let layouts = &mut receipt.harness.check.as_mut().unwrap().layouts;
    let mut without_scale = layouts[0].clone();
    without_scale.implementation = "first/build".into();
    without_scale.lut.scale = ScaleSite::None {};
    layouts.push(without_scale);
    receipt.renew_digest();
    assert_eq!(receipt.verify(), Ok(()));
    let original = serde_json::to_value(&receipt).unwrap();
    assert_eq!(parse(&original).unwrap(), receipt);
    let mut paths = Vec::new();
    objects(&original, String::new(), &mut paths);
    assert!(paths.len() > 80, "{}", paths.len());
    for path in paths {
        let mut edited = original.clone();
        let object = edited.pointer_mut(&path).unwrap();
        object
            .as_object_mut()
            .unwrap()
            .insert("remarks".into(), json!(1));
        let refused = parse(&edited).is_err();
        assert!(refused, "an unknown field in {path} is accepted");
    }
}

/// Fields that only the run determines. All others contradict the rest when changed alone, even with a new digest.
const RUN_FIELDS: [&str; 12] = [
    "/model_info/",
    "/validation/oracles/",
    "/harness/commit",
    "/harness/runs/",
    "/harness/check/parameters/",
    "/harness/check/inference",
    "/harness/check/layouts/",
    "/harness/fuzz/parameters/",
    "/harness/fuzz/findings/",
    "/harness/mutants/parameters/",
    "/harness/mutants/kernels/",
    "/harness/mutants/models/",
];

/// Such fields by their last name, anywhere: text, and fields that nothing else depends on.
const RUN_FIELDS_BY_NAME: [&str; 32] = [
    "subject",
    "place",
    "value",
    "bits",
    "truth",
    "attribution",
    "reproduce",
    "model",
    "level",
    "seed",
    "tokens",
    "threads",
    "file",
    "cause",
    "name",
    "occurrence",
    "decode",
    "layer",
    "op",
    "agreement",
    "op_attributed",
    "kind",
    "format",
    "candidate",
    "reference",
    "graph",
    "first_mismatch",
    "kl_divergence",
    "kl_divergence_max",
    "topk_overlap",
    "tie_margin",
    "node",
];

/// Fields that are only checked against bounds where no total includes them.
const BOUNDED: [&str; 11] = [
    "comparisons",
    "mismatches",
    "max_abs",
    "max_ulp",
    "nodes",
    "identical",
    "lacking",
    "positions",
    "non_finite",
    "unmeasured",
    "top1_agree",
];

#[test]
fn a_forged_number_contradicts_the_others() {
    let receipt = rich();
    let mut forged = 0;
    mutants(&receipt, |path, mutation, mutant| {
        let field = path.rsplit('/').next().unwrap();
        let stands_in = |parent: &str| path.contains(parent);
        // Numbers that no total includes are only checked against bounds. The logits have a noise floor, so the level
        // does not count them.
        let held_to_noise = path.starts_with("/harness/check/levels/3/outcomes/");
        let loose = held_to_noise || ["/nodes/", "/noise_floor/"].into_iter().any(stands_in);
        let counted = stands_in("/ulp_histogram/") && !stands_in("/nodes/");
        // Without the weights of its layers, an average only has to lie between their values.
        let averaged = stands_in("/layers/") && field == "nmse";
        let bounded = loose && (counted || averaged || BOUNDED.contains(&field));
        let is_entry = bounded
            || stands_in("/findings/")
            || RUN_FIELDS.iter().any(|fact| path.starts_with(fact))
            || RUN_FIELDS_BY_NAME.contains(&field);
        if is_entry || path == "/harness/digest" {
            return;
        }
        let Ok(mut mutant) = serde_json::from_value::<Receipt>(mutant.clone()) else {
            return;
        };
        mutant.harness.digest = mutant.hash();
        if mutant == receipt {
            return;
        }
        forged += 1;
        assert!(
            mutant.verify().is_err(),
            "{path} is {mutation}, and nobody minds"
        );
    });
    assert!(forged > 300, "{forged}");
}

#[test]
fn layers_are_those_of_their_kind() {
    type Change = fn(&mut Vec<LayerSummary>);
    let refused = |change: Change| {
        let mut receipt = rich();
        let section = receipt.harness.check.as_mut().unwrap();
        change(&mut section.levels[2].outcomes[0].nodes[0].layers);
        receipt.harness.digest = receipt.hash();
        receipt.verify().expect_err("a contradiction").to_string()
    };
    let cases: &[(&str, Change)] = &[
        ("ascending", |layers| layers.reverse()),
        ("ascending", |layers| layers[1].layer = layers[0].layer),
        ("add up", |layers| layers.truncate(1)),
        ("add up", |layers| {
            layers[1].max_ulp = layers[1].max_ulp.map(|ulp| ulp - 1)
        }),
        ("add up", |layers| layers[0].comparisons += 1),
        ("nmse", |layers| layers[0].nmse = None),
        ("layers[0]: is impossible", |layers| {
            layers[0].max_ulp = Some(1)
        }),
        ("layers[1]: is impossible", |layers| {
            layers[1].nmse = Some(-1.0)
        }),
        ("nmse", |layers| layers[1].nmse = Some(0.0)),
        ("nmse", |layers| layers[1].nmse = Some(1e-12)),
    ];
    for (printed, change) in cases {
        let validation_error = refused(*change);
        assert!(
            validation_error.contains("nodes[0].layers") && validation_error.contains(printed),
            "{printed}: {validation_error}"
        );
    }
}

#[test]
fn other_files_and_damaged_receipts_have_different_errors() {
    let text = serde_json::to_string_pretty(&rich()).unwrap();
    for length in [0, 1, text.len() / 3, text.len() - 2] {
        assert!(refused(&text[..length]).contains("cut off"));
    }
    assert!(refused("[]").contains("not a receipt of this harness"));
    assert!(
        refused(r#"{"name": "left-pad", "version": "1.0.0"}"#)
            .contains("not a receipt of this harness")
    );
    let foreign = r#"{"schema_version": "1.0.0", "compute_path": "real", "kernels": ["i2s_gemv"]}"#;
    assert!(refused(foreign).contains("not a receipt of this harness"));
    assert!(refused(&text.replacen("real", "mock", 1)).contains("compute_path"));
    let nan = text.replacen("\"rmse\": 0.0", "\"rmse\": NaN", 1);
    assert_ne!(nan, text);
    assert!(refused(&nan).contains("not JSON"));
    let null = text.replacen("\"rmse\": 0.0", "\"rmse\": null", 1);
    assert!(
        refused(&null).contains("measures.rmse"),
        "{}",
        refused(&null)
    );
    let more = text.replacen("\"rmse\"", "\"remarks\": 1, \"rmse\"", 1);
    assert!(refused(&more).contains("remarks"), "{}", refused(&more));
}

#[test]
fn versions_have_different_errors() {
    let text = serde_json::to_string(&rich()).unwrap();
    let of = |version: &str| {
        text.replacen(
            &format!("\"{SCHEMA_VERSION}\""),
            &format!("\"{version}\""),
            1,
        )
    };
    assert!(refused(&of("7.0.0")).contains("newer"));
    assert!(refused(&of("6.999.0")).contains("newer"));
    assert!(refused(&of("5.0.0")).contains("written by an older version: run it again"));
    assert!(refused(&of("1.9.9")).contains("older"));
    assert!(refused(&of("two")).contains("no version"));
    assert!(refused(r#"{"schema_version": "1.1.0", "rungs": []}"#).contains("older"));
}

#[test]
fn non_finite_numbers_are_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    let written = |change: fn(&mut Receipt)| {
        let mut receipt = rich();
        change(&mut receipt);
        receipt.harness.digest = receipt.hash();
        let error = receipt.write(&path).expect_err("a NaN").to_string();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{error}");
        error
    };
    fn outcome(receipt: &mut Receipt) -> &mut harness::outcome::Outcome {
        &mut receipt.harness.check.as_mut().unwrap().levels[0].outcomes[0]
    }
    let error = written(|receipt| outcome(receipt).measures.rmse = Some(f64::NAN));
    assert!(error.contains("measures.rmse"), "{error}");
    let error = written(|receipt| outcome(receipt).measures.max_abs = Some(f64::INFINITY));
    assert!(error.contains("measures.max_abs"), "{error}");
    // An absent number is omitted, and a NaN must not be written as absent.
    let error = written(|receipt| outcome(receipt).measures.nmse = Some(f64::NAN));
    assert!(error.contains("nmse"), "{error}");
    let error = written(|receipt| outcome(receipt).findings[0].truth = Some(f64::NAN));
    assert!(error.contains("truth"), "{error}");
}

#[test]
fn the_command_ends_with_3_and_names_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    let file = path.to_str().unwrap();
    rich().write(&path).unwrap();
    assert_code(&harness(&["verify-receipt", file]), 0);
    let text = std::fs::read_to_string(&path).unwrap();
    let edits = [
        (text[..text.len() / 2].to_owned(), "cut off"),
        (
            text.replacen("\"divergent\"", "\"exact\"", 1),
            "parity.status",
        ),
        (
            text.replacen(&format!("\"{SCHEMA_VERSION}\""), "\"9.0.0\"", 1),
            "newer",
        ),
        ("{}".to_owned(), "not a receipt"),
    ];
    for (edited, printed) in edits {
        assert_ne!(edited, text);
        std::fs::write(&path, edited).unwrap();
        let output = harness(&["verify-receipt", file]);
        assert_code(&output, 3);
        let error = stderr(&output);
        assert!(error.contains(printed) && error.contains(file), "{error}");
    }
    assert_code(&harness(&["verify-receipt", "no/such/receipt.json"]), 3);
    assert_code(&harness(&["verify-receipt"]), 2);
}

#[test]
fn unknown_kernels_are_reported_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    let mut receipt = rich();
    receipt.harness.runs[0]
        .calls
        .insert("i2_s.group128.abacus".into(), 3);
    receipt.renew_digest();
    receipt.write(&path).unwrap();
    let output = harness(&["verify-receipt", path.to_str().unwrap()]);
    assert_code(&output, 0);
    let printed = crate::common::stdout(&output);
    assert!(
        printed.contains("unknown: kernel i2_s.group128.abacus"),
        "{printed}"
    );
}
