//! `harness oracle`: a checkout becomes an oracle, what is wrong with one is said, and an oracle can be the candidate.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{IDENTITY, ORACLE, assert_code, generate, stderr, stdout};
use tempfile::tempdir;
use testing::test;

/// Runs the command with a folder of its own for added oracles.
fn harness(store: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(args)
        .env("HARNESS_ORACLES", store)
        .output()
        .expect("the harness starts")
}

/// The unpacked source of the pinned bitnet.cpp, which serves as a user's checkout.
fn pinned_checkout() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vendor/bitnet.cpp/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        // The build script has asked for no packages of other platforms.
        .arg("--filter-platform")
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages
        .find(|package| package["name"] == "bitnet-cpp-sys")
        .unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("bitnet")
}

/// Copies the files of a checkout that are compiled, so that a test can change one.
fn copy(from: &Path, to: &Path) {
    for folder in ["include", "src"] {
        copy_folder(&from.join(folder), &to.join(folder));
    }
    for folder in ["include", "src", "ggml/include", "ggml/src"] {
        let folder = Path::new("3rdparty/llama.cpp").join(folder);
        copy_folder(&from.join(&folder), &to.join(&folder));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// A checkout is compiled, used by name, shown and removed. A change of one kernel is compiled anew, and its type is
/// refused.
#[test(needs(IDENTITY))]
fn a_checkout_becomes_an_oracle() {
    let folder = tempdir().unwrap();
    let (store, checkout) = (folder.path().join("store"), folder.path().join("mine"));
    copy(&pinned_checkout(), &checkout);
    let path = checkout.to_str().unwrap();

    let added = harness(&store, &["oracle", "add", "mine", path]);
    assert_code(&added, 0);
    assert!(
        stderr(&added).contains("found bitnet.cpp"),
        "{}",
        stderr(&added)
    );
    let said = stdout(&added);
    assert!(said.contains("types      f32 f16 q4_0 q4_1"), "{said}");
    assert!(said.contains("tq1_0 tq2_0 i2_s\n"), "{said}");
    assert!(!said.contains("unchecked"), "{said}");
    assert!(!said.contains("refused"), "{said}");
    assert!(
        said.contains("models     f32 f16 q6_K tq1_0 tq2_0 i2_s\n"),
        "{said}"
    );

    // The same source with the same flags has the same bits, on every level.
    let model = generate("tiny-llama-tq2_0", folder.path());
    let model = model.to_str().unwrap();
    let args = [
        "check",
        model,
        "--candidate",
        "mine",
        "--oracle",
        "bitnet.cpp/strict",
    ];
    let checked = harness(&store, &args);
    assert_code(&checked, 0);
    assert!(
        stdout(&checked).contains("verdict: exact"),
        "{}",
        stdout(&checked)
    );
    let as_reference = harness(
        &store,
        &["check", model, "--oracle", "mine", "--level", "tensor"],
    );
    assert_code(&as_reference, 0);

    assert!(stdout(&harness(&store, &["oracle", "list"])).contains("\nmine\n"));
    let shown = stdout(&harness(
        &store,
        &["oracle", "show", "mine", "--format", "json"],
    ));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["added"], true);
    assert_eq!(
        shown["source"],
        checkout.canonicalize().unwrap().to_str().unwrap()
    );

    // A kernel that adds no products, and one that aborts.
    let kernel = checkout.join("3rdparty/llama.cpp/ggml/src/ggml-quants.c");
    let mut text = fs::read_to_string(&kernel).unwrap();
    for (name, statement) in [("tq2_0_q8_K", "n = 0;"), ("q2_K_q8_K", "abort();")] {
        let start = text.find(&format!("void ggml_vec_dot_{name}(")).unwrap();
        let body = start + text[start..].find("{\n").unwrap() + 2;
        text.insert_str(body, &format!("    {statement}\n"));
    }
    fs::write(&kernel, text).unwrap();
    let added = harness(&store, &["oracle", "add", "mine", path]);
    assert_code(&added, 0);
    let said = stdout(&added);
    assert!(said.contains("refused    tq2_0: "), "{said}");
    assert!(
        said.contains("refused    q2_K: its check ended the process"),
        "{said}"
    );
    assert!(
        said.contains("models     f32 f16 q6_K tq1_0 i2_s\n"),
        "{said}"
    );
    assert!(
        said.contains("it replaces an oracle of the same name"),
        "{said}"
    );
    let checked = harness(&store, &["check", model, "--oracle", "mine"]);
    assert_code(&checked, 4);

    let damaged = store.join("mine/oracle.so");
    fs::write(&damaged, "no shared object").unwrap();
    let checked = harness(&store, &["check", model, "--oracle", "mine"]);
    assert_code(&checked, 3);
    assert!(
        stderr(&checked).contains("was changed after it was added"),
        "{}",
        stderr(&checked)
    );

    assert_code(&harness(&store, &["oracle", "remove", "mine"]), 0);
    let removed = harness(&store, &["check", model, "--oracle", "mine"]);
    assert_code(&removed, 2);
}

/// A checkout that does not compile gives the first error of the compiler with its place.
#[test(needs(ORACLE))]
fn a_compile_error_is_shown_with_its_place() {
    let folder = tempdir().unwrap();
    let (store, checkout) = (folder.path().join("store"), folder.path().join("broken"));
    copy(&pinned_checkout(), &checkout);
    let quants = checkout.join("3rdparty/llama.cpp/ggml/src/ggml-quants.c");
    let text = fs::read_to_string(&quants).unwrap();
    fs::write(&quants, format!("int broken = missing;\n{text}")).unwrap();
    let added = harness(
        &store,
        &["oracle", "add", "broken", checkout.to_str().unwrap()],
    );
    assert_code(&added, 3);
    let said = stderr(&added);
    assert!(said.contains("ggml-quants.c:1:"), "{said}");
    assert!(said.contains("error: 'missing' undeclared"), "{said}");
    let used = harness(&store, &["check", "--oracle", "broken"]);
    assert_code(&used, 2);

    // A vintage without a declaration that the shim needs.
    fs::write(&quants, text).unwrap();
    let header = checkout.join("3rdparty/llama.cpp/include/llama.h");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(
        &header,
        text.replace("llama_get_logits_ith", "llama_logits_of"),
    )
    .unwrap();
    let added = harness(
        &store,
        &["oracle", "add", "broken", checkout.to_str().unwrap()],
    );
    assert_code(&added, 3);
    let said = stderr(&added);
    assert!(said.contains("the shim does not compile against"), "{said}");
    assert!(said.contains("llama_get_logits_ith"), "{said}");
}

#[test]
fn what_cannot_be_added_is_said() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let here = folder.path().to_str().unwrap();
    for (args, code, said) in [
        (&["add", "x", here][..], 3, "neither ggml/src/ggml.c"),
        (&["add", "x", "/no/such/folder"], 3, "cannot be opened"),
        (&["add", "a/b", here], 2, "no name for an oracle"),
        (&["add", "rust", here], 2, "forward pass"),
        (&["add", "x", here, "--build", "fast"], 2, "strict"),
        (&["remove", "x"], 2, "no added oracle `x`"),
        (&["show", "x"], 2, "no oracle `x`"),
    ] {
        let output = harness(&store, &[&["oracle"][..], args].concat());
        assert_code(&output, code);
        assert!(
            stderr(&output).contains(said),
            "{args:?}: {}",
            stderr(&output)
        );
    }
    assert!(!store.exists(), "nothing was added");
}

/// Two embedded oracles against each other, down to the nodes, with the rules of invariance.
#[test(needs(IDENTITY))]
fn an_oracle_is_a_candidate() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let model = generate("tiny-bitnet-tq1_0", folder.path());
    let model = model.to_str().unwrap();
    let receipt = folder.path().join("receipt.json");
    let check = |candidate: &str, oracle: &str| {
        let receipt = receipt.to_str().unwrap();
        let ids = ["--candidate", candidate, "--oracle", oracle];
        let args = [&["check", model, "--receipt", receipt][..], &ids].concat();
        harness(&store, &args)
    };
    let upgraded = check("llama.cpp/strict", "bitnet.cpp/strict");
    assert_code(&upgraded, 0);
    let said = stdout(&upgraded);
    assert!(said.contains("verdict: exact"), "{said}");
    assert!(said.contains("itself"), "{said}");
    let text = fs::read_to_string(&receipt).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let parameters = &json["harness"]["check"]["parameters"];
    assert_eq!(parameters["candidate"], "llama.cpp/strict");
    let oracles = json["validation"]["oracles"].as_array().unwrap();
    assert!(
        oracles
            .iter()
            .any(|oracle| oracle["id"] == "llama.cpp/strict")
    );
    let verified = harness(&store, &["verify-receipt", receipt.to_str().unwrap()]);
    assert_code(&verified, 0);

    let contracted = check("llama.cpp/fma", "llama.cpp/strict");
    assert_code(&contracted, 0);
    let said = stdout(&contracted);
    assert!(said.contains("within_noise_floor"), "{said}");

    let itself = check("llama.cpp/fma", "llama.cpp/fma");
    assert_code(&itself, 2);
}

/// Every node of the graphs of both upstreams has its counterpart in the forward pass, except the fused ones.
#[test(needs(IDENTITY))]
fn no_node_is_unmatched() {
    let folder = tempdir().unwrap();
    let store = folder.path().join("store");
    let receipt = folder.path().join("receipt.json");
    let recipes = ::harness::synth::embedded().into_iter();
    let small = recipes.filter(|(name, _)| name.starts_with("tiny-") || name.starts_with("tail-"));
    for (recipe, _) in small {
        let args = ["check", recipe, "--level", "node,logits", "--receipt"];
        let args = [&args[..], &[receipt.to_str().unwrap()]].concat();
        let checked = harness(&store, &args);
        assert_code(&checked, 0);
        let text = fs::read_to_string(&receipt).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for level in json["harness"]["check"]["levels"].as_array().unwrap() {
            for outcome in level["outcomes"].as_array().unwrap() {
                let reference = outcome["reference"].as_str().unwrap();
                let is_identity = reference.ends_with("/strict");
                if is_identity {
                    assert_eq!(outcome["verdict"], "exact", "{recipe}: {outcome}");
                }
                for kind in outcome["nodes"].as_array().into_iter().flatten() {
                    let unmatched = kind["unmatched"].as_u64().unwrap_or(0);
                    let fused = kind["kind"] == "ffn_silu" && reference.starts_with("llama.cpp");
                    assert!(kind["lacking"] == 0, "{recipe}, {reference}: {kind}");
                    assert!(unmatched == 0 || fused, "{recipe}, {reference}: {kind}");
                }
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
