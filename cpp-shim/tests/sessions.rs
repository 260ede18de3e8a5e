//! Tests of sessions with models written by upstream.

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::{ORACLE, TOKENS, all_logits, bits, models_of, oracles, params, status};
use cpp_shim::{Format, Node, SessionParams, Status};
use testing::{MODELS, test};

/// The reference logits of a model: `NAME.logits.f32` in the folder of `NAME.gguf`.
fn reference(model: &Path) -> Vec<f32> {
    let path = model.with_extension("logits.f32");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes
        .chunks(4)
        .map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap()))
        .collect()
}

#[test(needs(ORACLE, MODELS))]
fn strict_gives_the_reference_logits() {
    let is_identity = |id: &str| {
        let mut builds = cpp_shim::builds().iter();
        builds.any(|build| build.id() == id && build.provenance().identity)
    };
    for oracle in oracles().iter().filter(|oracle| is_identity(oracle.id())) {
        for model in models_of(oracle) {
            let expected = reference(&model);
            let mut session = oracle.open(&model, &params()).unwrap();
            session.decode(&TOKENS).unwrap();
            let got = all_logits(&session);
            assert_eq!(got.len(), TOKENS.len() * session.n_vocab());
            assert_eq!(bits(&got), bits(&expected), "{}", model.display());
        }
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_trace_changes_nothing_and_sees_every_layer() {
    for oracle in oracles() {
        for model in models_of(&oracle) {
            let mut plain = oracle.open(&model, &params()).unwrap();
            plain.decode(&TOKENS).unwrap();
            let mut traced = oracle.open(&model, &params()).unwrap();
            let (mut names, mut last) = (Vec::new(), None);
            let mut sink = |node: Node<'_>| {
                names.push(node.name.to_owned());
                if node.name == "result_output" {
                    last = node.f32_values();
                }
            };
            traced.decode_traced(&TOKENS, &mut sink).unwrap();
            assert_eq!(bits(&all_logits(&plain)), bits(&all_logits(&traced)));
            assert_eq!(bits(&last.unwrap()), bits(&all_logits(&traced)));
            for layer in 0..traced.n_layer() {
                for node in ["attn_norm", "Qcur", "ffn_norm", "l_out"] {
                    let name = format!("{node}-{layer}");
                    assert!(names.contains(&name), "no {name} in {names:?}");
                }
            }
        }
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_node_names_what_it_was_made_from() {
    for oracle in oracles() {
        for model in models_of(&oracle) {
            let mut session = oracle.open(&model, &params()).unwrap();
            let mut inputs = HashMap::new();
            let mut sink = |node: Node<'_>| {
                let names = node.inputs.iter().map(ToString::to_string);
                inputs.insert((node.name.to_owned(), node.op.to_owned()), names.collect());
            };
            session.decode_traced(&TOKENS, &mut sink).unwrap();
            // Today's llama.cpp names the embedding and views of attention differently.
            let is_today = inputs.contains_key(&("embd".into(), "GET_ROWS".into()));
            let (embedding, keys_and_queries) = match is_today {
                true => (
                    "embd",
                    ["cache_k_l1 (view) (permuted)", "Qcur-1 (view) (permuted)"],
                ),
                false => ("inp_embd", ["k-1", "q-1"]),
            };
            for (name, op, wanted) in [
                (embedding, "GET_ROWS", ["token_embd.weight", "inp_tokens"]),
                ("attn_norm-0", "MUL", ["norm-0", "blk.0.attn_norm.weight"]),
                ("Vcur-1", "MUL_MAT", ["blk.1.attn_v.weight", "attn_norm-1"]),
                ("kq-1", "MUL_MAT", keys_and_queries),
            ] {
                let found: &Vec<String> = &inputs[&(name.to_owned(), op.to_owned())];
                assert_eq!(*found, wanted, "{name}");
            }
        }
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_session_reports_the_shape_of_its_model() {
    for oracle in oracles() {
        for model in models_of(&oracle) {
            let session = oracle.open(&model, &params()).unwrap();
            let tail = model.to_string_lossy().contains("tail-");
            assert_eq!(session.n_embd(), if tail { 384 } else { 256 });
            assert_eq!((session.n_vocab(), session.n_layer()), (320, 2));
            assert!(session.n_ctx() >= 64 && session.n_batch() >= TOKENS.len());
            assert_eq!(session.decoded(), 0);
        }
    }
}

#[test(needs(ORACLE, MODELS))]
fn decoding_in_parts_continues() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let mut whole = oracle.open(&model, &params()).unwrap();
        whole.decode(&TOKENS).unwrap();
        let mut parts = oracle.open(&model, &params()).unwrap();
        for part in TOKENS.chunks(3) {
            parts.decode(part).unwrap();
        }
        assert_eq!(parts.decoded(), TOKENS.len());
        // Another batch size may round differently.
        for (a, b) in all_logits(&whole).iter().zip(all_logits(&parts)) {
            assert!((a - b).abs() < 1e-2, "{a} and {b}");
        }
        parts.rewind(0);
        parts.decode(&TOKENS).unwrap();
        assert_eq!(bits(&all_logits(&whole)), bits(&all_logits(&parts)));
        parts.rewind(2);
        assert_eq!(parts.decoded(), 2);
        assert!(parts.logits(1).is_ok());
        assert_eq!(status(parts.logits(2)), Status::BadArgument);
    }
}

#[test(needs(ORACLE, MODELS))]
fn bad_tokens_are_refused_and_harm_nothing() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let mut session = oracle.open(&model, &params()).unwrap();
        session.decode(&TOKENS[..4]).unwrap();
        assert_eq!(status(session.decode(&[])), Status::BadArgument);
        assert_eq!(status(session.decode(&[-1])), Status::BadArgument);
        assert_eq!(status(session.decode(&[320])), Status::BadArgument);
        assert_eq!(
            status(session.decode(&vec![1; session.n_batch() + 1])),
            Status::BadArgument
        );
        let room = session.n_ctx() - session.decoded();
        assert_eq!(
            status(session.decode(&vec![1; room + 1])),
            Status::BadArgument
        );
        assert_eq!(session.decoded(), 4);
        session.decode(&TOKENS[4..]).unwrap();

        let mut other = oracle.open(&model, &params()).unwrap();
        other.decode(&TOKENS[..4]).unwrap();
        other.decode(&TOKENS[4..]).unwrap();
        assert_eq!(bits(&all_logits(&session)), bits(&all_logits(&other)));
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_panic_in_the_sink_comes_back_and_the_session_lives_on() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let mut session = oracle.open(&model, &params()).unwrap();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut seen = 0;
            session.decode_traced(&TOKENS, &mut |_| {
                seen += 1;
                assert!(seen < 5, "enough");
            })
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"enough"));
        assert_eq!(session.decoded(), 0);
        session.decode(&TOKENS).unwrap();
        let mut other = oracle.open(&model, &params()).unwrap();
        other.decode(&TOKENS).unwrap();
        assert_eq!(bits(&all_logits(&session)), bits(&all_logits(&other)));
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_model_without_a_tokenizer_is_an_error() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let session = oracle.open(&model, &params()).unwrap();
        assert_eq!(status(session.tokenize("a text")), Status::Unsupported);
    }
}

#[test(needs(ORACLE, MODELS))]
fn two_models_live_together_and_go_in_any_order() {
    for oracle in oracles() {
        let models = models_of(&oracle);
        let [first, second, ..] = models.as_slice() else {
            panic!("two models: {models:?}")
        };
        let open = |model| oracle.open(model, &params()).unwrap();
        for keep_first in [true, false] {
            let (mut a, mut b) = (open(first), open(second));
            a.decode(&TOKENS).unwrap();
            b.decode(&TOKENS).unwrap();
            let (mut kept, model) = if keep_first {
                drop(b);
                (a, first)
            } else {
                drop(a);
                (b, second)
            };
            kept.rewind(0);
            kept.decode(&TOKENS).unwrap();
            let mut alone = open(model);
            alone.decode(&TOKENS).unwrap();
            assert_eq!(bits(&all_logits(&kept)), bits(&all_logits(&alone)));
        }
    }
}

#[test(needs(ORACLE, MODELS))]
fn a_session_moves_to_another_thread() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let mut here = oracle.open(&model, &params()).unwrap();
        here.decode(&TOKENS).unwrap();
        let mut there = oracle.open(&model, &params()).unwrap();
        let logits = std::thread::spawn(move || {
            there.decode(&TOKENS).unwrap();
            all_logits(&there)
        });
        assert_eq!(bits(&all_logits(&here)), bits(&logits.join().unwrap()));
    }
}

#[test(needs(ORACLE))]
fn what_is_no_model_is_refused() {
    for oracle in oracles() {
        let open = |path: &Path| status(oracle.open(path, &params()));
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(open(&here.join("no-such-file.gguf")), Status::File);
        assert_eq!(open(here), Status::File);
        assert_eq!(open(&here.join("Cargo.toml")), Status::File);
        assert_eq!(open(Path::new("nul\0byte")), Status::BadArgument);
        // Only the magic bytes.
        let stub = std::env::temp_dir().join(format!("stub-{}.gguf", std::process::id()));
        std::fs::write(&stub, b"GGUF").unwrap();
        let result = oracle.open(&stub, &params());
        std::fs::remove_file(&stub).unwrap();
        assert_eq!(status(result), Status::File);
    }
}

#[test(needs(ORACLE, MODELS))]
fn bad_params_are_refused() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let open = |params: SessionParams| status(oracle.open(&model, &params));
        for bad in [
            SessionParams {
                n_ctx: 0,
                ..params()
            },
            SessionParams {
                n_ctx: u32::MAX,
                ..params()
            },
            SessionParams {
                n_batch: 0,
                ..params()
            },
            SessionParams {
                n_ubatch: 0,
                ..params()
            },
            SessionParams {
                n_ubatch: 65,
                ..params()
            },
            SessionParams {
                threads: 0,
                ..params()
            },
            SessionParams {
                threads: u32::MAX,
                ..params()
            },
            SessionParams {
                kv_format: Format::Q6_K,
                ..params()
            },
        ] {
            assert_eq!(open(bad), Status::BadArgument);
        }
        assert_eq!(
            open(SessionParams {
                kv_format: Format::F32,
                ..params()
            }),
            Status::Unsupported
        );
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
