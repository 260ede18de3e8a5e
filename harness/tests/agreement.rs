//! Omitted and incomplete comparisons are no agreement: in the verdict, the exit code, the receipt and the output.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::draft::Edit;
use common::{IDENTITY, ORACLE, assert_code, generate, harness, harness_in, stdout};
use harness::check::{self, CheckReport};
use harness::decoding::Decoding;
use harness::inference::{Engine, Inference, InferenceError, InferenceParams};
use harness::levels::Level;
use harness::outcome::Outcome;
use harness::participant::{BuildKind, Forward, Participants, Reference, ReferenceModel};
use harness::probe::Luts;
use harness::progress::Progress;
use harness::rewrite::ModelDraft;
use harness::shard::Shard;
use harness::task::Task;
use harness::verdict::{Attribution, Verdict};
use qk256::gguf::{ArrayBuf, GgufFile, Value};
use tempfile::tempdir;
use testing::test;

/// Writes a changed copy of the model of a recipe.
fn changed(recipe: &str, folder: &Path, change: impl FnOnce(&mut ModelDraft<'_>)) -> PathBuf {
    let original = generate(recipe, folder);
    let file = GgufFile::open(&original).unwrap();
    let mut draft = ModelDraft::of(&file.view());
    change(&mut draft);
    let copy = folder.join("changed.gguf");
    draft.save(&copy);
    copy
}

/// Runs `harness check` in `folder` with a receipt, which must verify, and returns its output.
#[track_caller]
fn checked(folder: &Path, options: &[&str], code: i32) -> String {
    let args = [&["check"], options, &["--receipt", "receipt.json"]].concat();
    let output = harness_in(folder, &args);
    assert_code(&output, code);
    assert_code(&harness_in(folder, &["verify-receipt", "receipt.json"]), 0);
    let report = harness_in(folder, &["report", "receipt.json", "-o", "report"]);
    assert!(report.status.code() < Some(2), "{report:?}");
    fs::remove_file(folder.join("receipt.json")).unwrap();
    stdout(&output)
}

/// The second oracle.
fn second() -> &'static str {
    cpp_shim::builds()[1].id()
}

#[test(needs(IDENTITY))]
fn a_nan_in_the_file_is_attributed_to_the_file() {
    let folder = tempdir().unwrap();
    let cases: [(_, _, isize, &[u8], _); 2] = [
        (
            "tiny-bitnet-i2_s",
            "blk.0.ffn_down.weight",
            -32,
            &f32::NAN.to_le_bytes(),
            "tensor blk.0.ffn_down.weight: the scale is NaN",
        ),
        (
            "tiny-llama-tq2_0",
            "blk.1.attn_q.weight",
            66 * 4 - 2,
            &half::f16::INFINITY.to_le_bytes(),
            "tensor blk.1.attn_q.weight: the scale of block 0 of row 3 is inf",
        ),
    ];
    for (recipe, tensor, at, bytes, fault) in cases {
        let model = changed(recipe, folder.path(), |draft| {
            let data = draft.tensor(tensor).bytes.to_mut();
            let at = at.rem_euclid(data.len() as isize) as usize;
            data[at..][..bytes.len()].copy_from_slice(bytes);
        });
        let model = model.to_str().unwrap();
        for options in [
            &[model, "--level", "tensor,node,logits"][..],
            &[model, "--level", "node", "--oracle", second()],
            &[model, "--level", "logits"],
        ] {
            let text = checked(folder.path(), options, 4);
            assert!(text.contains(fault), "{text}");
            assert!(text.contains("verdict: unsupported"), "{text}");
            assert!(!text.contains("candidate_wrong"), "{text}");
        }
        fs::remove_file(folder.path().join(format!("{recipe}.gguf"))).unwrap();
    }
}

/// An edit of a model, and a part of the reason why it is not run.
type Unsupported = (&'static str, fn(&mut ModelDraft<'_>), &'static str);

#[test(needs(IDENTITY))]
fn unsupported_models_name_the_missing_feature() {
    let cases: [Unsupported; 5] = [
        (
            "YaRN",
            |draft| {
                draft
                    .metadata
                    .push(("llama.rope.scaling.type".into(), Value::Str("yarn")));
                draft
                    .metadata
                    .push(("llama.rope.scaling.factor".into(), Value::F32(4.0)));
            },
            "yarn",
        ),
        (
            "a bias of the attention's output",
            |draft| {
                let mut bias = draft.tensor("blk.0.attn_norm.weight").clone();
                bias.name = "blk.0.attn_output.bias".into();
                draft.tensors.push(bias);
            },
            "blk.0.attn_output.bias",
        ),
        (
            "the first part of a split file",
            |draft| {
                draft.metadata.push(("split.no".into(), Value::U16(0)));
                draft.metadata.push(("split.count".into(), Value::U16(2)));
                draft
                    .metadata
                    .push(("split.tensors.count".into(), Value::I32(99)));
            },
            "part 1 of 2 of a split file",
        ),
        (
            "an unknown architecture",
            |draft| {
                for (key, value) in &mut draft.metadata {
                    if key == "general.architecture" {
                        *value = Value::Str("nonesuch");
                    }
                }
            },
            "nonesuch",
        ),
        (
            "heads that do not fit",
            |draft| {
                for (key, value) in &mut draft.metadata {
                    if key.ends_with("attention.head_count_kv") {
                        *value = Value::U32(3);
                    }
                }
            },
            "head_count_kv",
        ),
    ];
    for (what, edit, missing) in cases {
        let folder = tempdir().unwrap();
        let model = changed("tiny-llama-tq2_0", folder.path(), edit);
        let kernel = ["--kernel", "tq2_0.scalar"];
        let options = [&[model.to_str().unwrap()], &kernel[..]].concat();
        let text = checked(folder.path(), &options, 4);
        for part in [
            "verdict: unsupported",
            "node: unsupported",
            "unsupported: ",
            missing,
        ] {
            assert!(text.contains(part), "{what}: no {part} in\n{text}");
        }
        for part in ["candidate_wrong", "expected an answer", "divergent"] {
            assert!(!text.contains(part), "{what}: {part} in\n{text}");
        }
        // The compared kernels agree, which is the verdict without the levels that run the model.
        let kernels = ["check", "--level", "lut,block,tensor"];
        assert_code(&harness(&[&kernels[..], &options].concat()), 0);
    }
}

#[test(needs(IDENTITY))]
fn a_head_count_for_each_layer_is_unsupported() {
    let folder = tempdir().unwrap();
    let original = generate("tiny-llama-tq2_0", folder.path());
    let copy = folder.path().join("changed.gguf");
    let counts = ArrayBuf::from(&[4u32, 4][..]);
    let counts = ("llama.attention.head_count", Value::from(&counts));
    common::with_metadata(&original, &copy, &[counts]);
    let options = [copy.to_str().unwrap(), "--level", "node,logits"];
    let text = checked(folder.path(), &options, 4);
    assert!(text.contains("llama.attention.head_count"), "{text}");
    assert!(!text.contains("candidate_wrong"), "{text}");
}

#[test(needs(IDENTITY))]
fn a_level_has_the_worst_verdict_of_its_pairs_and_counts_all_of_them() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-tq1_0", folder.path());
    let levels = ["--level", "tensor,node,logits", "--kernel", "tq1_0.scalar"];
    let alone = [
        &[model.to_str().unwrap()],
        &levels[..],
        &["--oracle", second()],
    ]
    .concat();
    let text = checked(folder.path(), &alone, 0);
    for level in ["tensor", "node", "logits"] {
        let line = format!("{level}: within_noise_floor (");
        assert!(
            text.contains(&line) && !text.contains("(0 comparisons"),
            "{text}"
        );
    }
    assert!(text.ends_with("verdict: within_noise_floor\n"), "{text}");
    let both = [&[model.to_str().unwrap()], &levels[..]].concat();
    let text = checked(folder.path(), &both, 0);
    assert!(
        text.contains("; exact with bitnet.cpp/strict, llama.cpp/strict)"),
        "{text}"
    );
}

#[test(needs(ORACLE))]
fn a_check_of_the_default_model_fits_on_a_screen_and_verbose_lists_every_pair() {
    let short = stdout(&harness(&["check", "--level", "lut,block,tensor"]));
    // The levels that run the model add no more than ten lines.
    assert!(short.lines().count() <= 50, "{short}");
    let long = stdout(&harness(&["check", "--level", "lut", "--verbose"]));
    for kernel in qk256::kernel::all() {
        if kernel.format().id != "bitnet32" {
            assert!(long.contains(kernel.id()), "{} in\n{long}", kernel.id());
        }
    }
}

/// An engine with another id, which can be lost when it is used.
struct Stand {
    id: &'static str,
    engine: Option<Forward>,
}

impl Engine for Stand {
    fn id(&self) -> &str {
        self.id
    }

    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        match &self.engine {
            Some(engine) => engine.with_model(path, params, work),
            None => Err(InferenceError::Lost {
                implementation: self.id.into(),
                how: "died (signal: 9 (SIGKILL))".into(),
                at: "while it opened the model".into(),
                stderr: String::new(),
            }),
        }
    }
}

/// Runs the levels that run a model with participant `lost` lost. The second oracle and the candidate differ from the
/// first oracle in every node.
fn check_without(lost: &str) -> CheckReport {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let differing = || {
        Forward::changed(
            "other",
            |config| config.rms_epsilon *= 2.0,
            qk256::dense::Element::F16,
        )
    };
    let stand = |id, engine| {
        let engine = Some(engine).filter(|_| id != lost);
        Box::new(Stand { id, engine }) as Box<dyn Engine>
    };
    let reference = |id, build, engine| Reference {
        implementation: Box::new(ReferenceModel),
        compared: true,
        description: None,
        build,
        engine: Some(stand(id, engine)),
        luts: Luts::default(),
    };
    let participants = Participants {
        references: vec![
            reference("first", BuildKind::Identity, Forward::new(Vec::new())),
            reference("second", BuildKind::Embedded, differing()),
        ],
        candidates: Vec::new(),
        engines: vec![stand("candidate", differing())],
        upstream: None,
    };
    let task = Task {
        model: model.display().to_string(),
        tensors: Vec::new(),
        decoding: Ok(Decoding::new(model, vec![1, 5, 7, 9], 1)),
        seed: 1,
        shard: Shard::WHOLE,
        progress: Progress::silent(),
    };
    check::run(&Level::OF_MODELS, &participants, &task)
}

#[test]
fn the_loss_of_a_participant_is_the_only_cause_in_the_verdict() {
    for (lost, attribution) in [
        ("first", Attribution::ReferenceWrong),
        ("second", Attribution::ReferenceWrong),
        ("candidate", Attribution::CandidateWrong),
    ] {
        let check = check_without(lost);
        assert_eq!(check.verdict, Verdict::Divergent, "{lost}");
        let concerned = |outcome: &&Outcome| {
            // Without the first oracle there is no noise floor against the second.
            lost != "second" || outcome.reference == "second"
        };
        let outcomes: Vec<&Outcome> = check.outcomes().filter(concerned).collect();
        assert!(!outcomes.is_empty());
        for outcome in outcomes {
            assert_eq!(outcome.verdict, Verdict::Divergent, "{outcome:#?}");
            assert_eq!(outcome.lost, [lost], "{outcome:#?}");
            let findings = &outcome.findings;
            assert_eq!(findings.len(), 1, "{outcome:#?}");
            assert_eq!(
                (findings[0].attribution, &findings[0].cause),
                (attribution, &None)
            );
            assert_eq!(outcome.measures.cosine_similarity, None);
        }
    }
    // With no participant lost, the candidate differs from the first oracle and is within the noise floor of the
    // second.
    let check = check_without("nobody");
    let verdicts: Vec<Verdict> = check.outcomes().map(|outcome| outcome.verdict).collect();
    let (divergent, noise) = (Verdict::Divergent, Verdict::WithinNoiseFloor);
    assert!(
        verdicts == [divergent, noise, divergent, noise]
            || verdicts == [divergent, Verdict::Exact, divergent, Verdict::Exact],
        "{verdicts:?}"
    );
}

fn main() -> std::process::ExitCode {
    testing::main()
}
