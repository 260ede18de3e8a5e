//! Changes of a model file while it is in use, and paths that are no regular files.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use harness::model::Model;
use harness::receipt::Receipt;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::{TempDir, tempdir};
use testing::test;

use common::{ORACLE, assert_code, child_of, generate, harness_in, stderr, stdout};

const RECIPE: &str = "tiny-llama-tq2_0";

/// Enough tokens for a decode that takes a while.
fn tokens() -> String {
    vec!["7"; 100].join(",")
}

/// A folder with a small model.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    let model = generate(RECIPE, folder.path());
    fs::rename(model, folder.path().join("model.gguf")).unwrap();
    folder
}

fn send(process: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

/// Runs a command and calls `then` as soon as it has mapped the model.
fn with_model_mapped(folder: &Path, args: &[&str], then: impl FnOnce(&Path)) -> Output {
    let model = folder.join("model.gguf");
    let mut child = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let has_it = |worker: &u32| {
        let maps = fs::read_to_string(format!("/proc/{worker}/maps"));
        maps.is_ok_and(|maps| maps.contains("/model.gguf"))
    };
    let worker = loop {
        if let Some(worker) = child_of(child.id()).filter(has_it) {
            break worker;
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "ended before it had opened the model");
        sleep(Duration::from_micros(200));
    };
    send(worker, Signal::STOP);
    then(&model);
    send(worker, Signal::CONT);
    child.wait_with_output().unwrap()
}

fn shorten(model: &Path) {
    let file = OpenOptions::new().write(true).open(model).unwrap();
    file.set_len(fs::metadata(model).unwrap().len() / 2)
        .unwrap();
}

#[test(needs(ORACLE))]
fn a_truncated_file_is_an_error_on_every_level() {
    let tokens = tokens();
    let check = |level| {
        vec![
            "check",
            "model.gguf",
            "--receipt=receipt.json",
            "--level",
            level,
        ]
    };
    let decode = |mut args: Vec<&'static str>| {
        args.push("--tokens");
        args
    };
    for (args, decodes) in [
        (check("tensor"), false),
        (decode(check("node")), true),
        (decode(check("logits")), true),
        (decode(vec!["logits", "model.gguf", "--out=out.npy"]), true),
        (vec!["dump-lut", "model.gguf", "--svg=out.svg"], false),
    ] {
        let folder = folder();
        let args: Vec<&str> = args
            .into_iter()
            .chain(decodes.then_some(&*tokens))
            .collect();
        let output = with_model_mapped(folder.path(), &args, shorten);
        assert_code(&output, 3);
        let printed = stderr(&output);
        assert!(
            printed.contains("model.gguf") && printed.contains("became shorter"),
            "{args:?}: {printed}"
        );
        assert!(!stdout(&output).contains("verdict"), "{}", stdout(&output));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "{args:?}");
    }
}

#[test(needs(ORACLE))]
fn a_file_that_is_written_to_in_place_leaves_no_receipt() {
    let folder = folder();
    let args = [
        "check",
        "model.gguf",
        "--receipt=receipt.json",
        "--level=tensor",
    ];
    let output = with_model_mapped(folder.path(), &args, |model| {
        let length = fs::metadata(model).unwrap().len();
        fs::write(model, vec![0xff; length as usize]).unwrap();
    });
    assert_code(&output, 3);
    let printed = stderr(&output);
    assert!(
        printed.contains("model.gguf: the file was written to"),
        "{printed}"
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}

#[test(needs(ORACLE))]
fn a_receipt_names_the_file_that_was_read() {
    let folder = folder();
    let sha256 = |name: &str| {
        let model = Model::open(&folder.path().join(name)).unwrap();
        model.sha256().unwrap()
    };
    let read = sha256("model.gguf");
    let receipt = || Receipt::read(&folder.path().join("receipt.json")).unwrap();
    let args = [
        "check",
        "model.gguf",
        "--receipt=receipt.json",
        "--level=tensor,node,logits",
    ];
    assert_code(&harness_in(folder.path(), &args), 0);
    let undisturbed = receipt();
    let another = generate("tiny-bitnet-i2_s", folder.path());
    // Before the workers and the forward pass open it.
    let output = with_model_mapped(folder.path(), &args, |model| {
        fs::rename(&another, model).unwrap();
    });
    assert_code(&output, 0);
    let disturbed = receipt();
    assert_eq!(disturbed.model_info, undisturbed.model_info);
    assert_eq!(disturbed.model_info.as_ref().unwrap().sha256, read);
    // Another model would have other nodes.
    let levels = |receipt: &Receipt| receipt.harness.check.as_ref().unwrap().levels.clone();
    assert_eq!(levels(&disturbed), levels(&undisturbed));
    assert_ne!(read, sha256("model.gguf"));
}

#[test(needs(ORACLE))]
fn bytes_behind_the_last_tensor_are_reported_and_ignored() {
    let folder = folder();
    let model = folder.path().join("model.gguf");
    let mut file = OpenOptions::new().append(true).open(&model).unwrap();
    file.write_all(&[1; 1000]).unwrap();
    drop(file);
    let args = ["check", "model.gguf", "--receipt=receipt.json"];
    let output = harness_in(folder.path(), &args);
    assert_code(&output, 0);
    let printed = stderr(&output);
    assert_eq!(
        printed.matches("note: model.gguf: 1,000 bytes").count(),
        1,
        "{printed}"
    );
    let receipt = Receipt::read(&folder.path().join("receipt.json")).unwrap();
    assert_eq!(receipt.model_info.unwrap().unused_bytes, 1000);
}

#[test]
fn only_regular_files_are_read_and_nothing_blocks() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["pipe", "pipe.gguf", "pipe.json", "pipe.toml"] {
        mknodat(CWD, at(name), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }
    fs::create_dir(at("folder")).unwrap();
    fs::create_dir(at("receipts")).unwrap();
    fs::rename(at("pipe.json"), at("receipts/pipe.json")).unwrap();
    File::create(at("empty.json")).unwrap();
    let baseline = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/baseline.json");
    fs::copy(baseline, at("baseline.json")).unwrap();
    let (pipe, receipt) = (
        "pipe: cannot be opened: this is a pipe",
        "receipts/pipe.json: this is a pipe",
    );
    let mut commands = vec![
        ("report receipts -o out", receipt),
        ("gate receipts --baseline baseline.json", receipt),
        ("gate empty.json --baseline pipe", "pipe: this is a pipe"),
        ("verify-receipt receipts/pipe.json", receipt),
        ("verify-receipt folder", "folder: this is a folder"),
        ("merge receipts/pipe.json -o out.json", receipt),
        ("replay receipts/pipe.json", receipt),
        (
            "synth ./pipe.toml -o out.gguf",
            "pipe.toml: the recipe cannot be read: this is a pipe",
        ),
        ("logits pipe --tokens=1 --out=out.npy", pipe),
    ];
    if ORACLE.is_met() {
        commands.extend([
            ("check pipe", pipe),
            ("check pipe.gguf", "pipe.gguf: cannot be opened"),
            ("check folder", "folder: cannot be opened: this is a folder"),
            ("check /dev/zero", "/dev/zero: cannot be opened: this is a"),
            ("dump-lut pipe", pipe),
            ("bench --quick --model pipe", pipe),
        ]);
    }
    for (command, printed) in commands {
        let args: Vec<&str> = command.split(' ').collect();
        let output = harness_in(folder.path(), &args);
        assert_code(&output, 3);
        let error = stderr(&output);
        assert!(error.contains(printed), "{command}: {error}");
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
