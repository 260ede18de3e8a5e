//! `harness dump-lut`: its results, output and drawings.

mod common;

use common::{ORACLE, assert_code, generate, harness, stderr, stdout};
use serde_json::Value;
use tempfile::tempdir;
use testing::{MODELS, models, test};

/// Runs `dump-lut` with JSON output against the first oracle, and returns the output without the path of the model.
fn dump(model: &std::path::Path) -> Value {
    let args = [
        "dump-lut",
        model.to_str().unwrap(),
        "--format",
        "json",
        "--oracle",
        "bitnet.cpp/strict",
    ];
    let output = harness(&args);
    assert_code(&output, 0);
    let mut json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["model"], model.to_str().unwrap());
    json["model"] = "MODEL".into();
    json
}

#[test(needs(ORACLE))]
fn each_format_as_json() {
    let folder = tempdir().unwrap();
    for recipe in ["tail-bitnet-i2_s", "tiny-llama-tq2_0", "tiny-bitnet-tq1_0"] {
        let json = dump(&generate(recipe, folder.path()));
        insta::assert_json_snapshot!(recipe, json);
    }
}

#[test(needs(ORACLE))]
fn one_tensor_as_a_table() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let model = model.to_str().unwrap();
    let args = [
        "dump-lut",
        model,
        "--tensor",
        "blk.1.ffn_down.weight",
        "--oracle",
        "bitnet.cpp/strict",
    ];
    let output = harness(&args);
    assert_code(&output, 0);
    // The table does not depend on the oracles that this CPU can run.
    let text = stdout(&output);
    let here: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("skipped: oracle"))
        .collect();
    insta::assert_snapshot!(here.join("\n"));

    let output = harness(&["dump-lut", model, "--tensor", "blk.9.ffn_down.weight"]);
    assert_code(&output, 3);
    assert!(
        stderr(&output).contains("blk.9.ffn_down.weight"),
        "{}",
        stderr(&output)
    );
}

#[test(needs(ORACLE))]
fn the_picture_shows_both_layouts_of_each_format() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-tq1_0", folder.path());
    let svg = folder.path().join("layout.svg");
    let output = harness(&[
        "dump-lut",
        model.to_str().unwrap(),
        "--svg",
        svg.to_str().unwrap(),
    ]);
    assert_code(&output, 0);
    let svg = std::fs::read_to_string(svg).unwrap();
    assert!(svg.contains("tq1_0: rust, tq1_0") && svg.contains("tq1_0: bitnet.cpp/strict"));
    assert!(svg.matches("<rect").count() >= 2 * 256);
}

#[test(needs(ORACLE, MODELS))]
fn models_that_bitnet_cpp_wrote_match_the_declaration() {
    for model in models() {
        let json = dump(&model);
        assert_eq!(json["verdict"], "exact", "{}", model.display());
        for format in json["formats"].as_array().unwrap() {
            assert_eq!(
                format["declared"]["codebook"].as_array().unwrap()[..3],
                [-1, 0, 1]
            );
            for oracle in format["oracles"].as_array().unwrap() {
                assert_eq!(oracle["layout"], format["layout"]);
                assert_eq!(oracle["derived"], format["declared"]);
            }
            if format["format"] == "i2_s" {
                assert_eq!(format["layout"], "group128");
            }
            for tensor in format["tensors"].as_array().unwrap() {
                let count = |key: &str| tensor[key].as_u64().unwrap();
                let histogram = tensor["code_histogram"].as_array().unwrap();
                let counted: u64 = histogram.iter().map(|n| n.as_u64().unwrap()).sum();
                assert_eq!(counted, count("rows") * count("cols"), "{tensor}");
                assert_eq!(
                    histogram[3], 0,
                    "code 3 never comes out of a quantizer: {tensor}"
                );
                assert!(tensor["scale"].as_f64().unwrap() > 0.0);
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
