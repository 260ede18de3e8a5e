//! The recipes of the corpus: their number and kinds, their bytes, and their readers.

use std::fs;
use std::path::Path;

use harness::model::Model;
use harness::participant::missing_types;
use harness::synth::{Architecture, Content, DEFAULT_RECIPE, Existing, create, embedded};
use qk256::format::{FORMATS, ScaleRule};
use qk256::gguf::{GgmlType, Gguf};

use super::{bytes_of, plan, sha256, small_plans, ternary};
use testing::test;

#[test]
fn the_embedded_recipes_are_those_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/models");
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            (
                name.strip_suffix(".toml")
                    .expect("only recipes are there")
                    .to_owned(),
                text,
            )
        })
        .collect();
    files.sort();
    let embedded: Vec<_> = embedded()
        .into_iter()
        .map(|(n, t)| (n.to_owned(), t.to_owned()))
        .collect();
    assert_eq!(
        embedded, files,
        "a new recipe file is embedded when the crate is built again"
    );
}

#[test]
fn every_architecture_and_type_has_a_tiny_and_a_tail_recipe() {
    for architecture in [
        Architecture::Bitnet,
        Architecture::BitnetB158,
        Architecture::Llama,
    ] {
        // The types with a native format of the oracles. The BitNet32 storage variants share I2_S's type.
        let mut types: Vec<_> = FORMATS.iter().map(|format| format.type_name).collect();
        types.dedup();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types, ["i2_s", "tq1_0", "tq2_0"]);
        for type_name in types {
            for size in ["tiny", "tail"] {
                let plan = plan(&format!("{size}-{}-{type_name}", architecture.name()));
                assert_eq!(plan.recipe().architecture, architecture);
                for tensor in plan.tensors() {
                    let Content::Ternary(content) = tensor.content else {
                        continue;
                    };
                    let format = content.storage().format();
                    assert_eq!(format.type_name, type_name);
                    let has_tail = match format.scale {
                        ScaleRule::Tensor => tensor.cols() % 256 == 128,
                        ScaleRule::Block { weights } => tensor.cols() / weights % 2 == 1,
                    };
                    if size == "tail" {
                        assert!(has_tail, "{} of {} columns", tensor.name, tensor.cols());
                    }
                }
            }
        }
    }
}

#[test]
fn the_default_model_has_whole_and_tail_rows_and_every_type() {
    let plan = plan(DEFAULT_RECIPE);
    assert_ne!(
        plan.recipe().architecture,
        Architecture::BitnetB158,
        "the oracle must load it"
    );
    let has = |ggml_type, rest| {
        plan.tensors()
            .iter()
            .any(|tensor| tensor.ggml_type() == ggml_type && tensor.cols() % 256 == rest)
    };
    assert!(has(GgmlType::I2_S, 0) && has(GgmlType::I2_S, 128));
    assert!(has(GgmlType::TQ1_0, 0) && has(GgmlType::TQ2_0, 0));
}

#[test]
fn the_large_models_have_the_shapes_of_2b_4t() {
    for (name, vocabulary, bytes) in [
        ("2b-4t", 128_256, 1_150_000_000..1_250_000_000),
        ("2b-4t-small-vocab", 320, 500_000_000..550_000_000),
    ] {
        let plan = plan(name);
        let dims = |name: &str| {
            let found = plan.tensors().iter().find(|tensor| tensor.name == name);
            found.map(|tensor| tensor.dims.clone()).unwrap_or_default()
        };
        assert_eq!(dims("token_embd.weight"), [2560, vocabulary]);
        assert_eq!(dims("blk.29.attn_k.weight"), [2560, 640]);
        assert_eq!(dims("blk.29.attn_sub_norm.weight"), [2560]);
        assert_eq!(dims("blk.29.ffn_down.weight"), [6912, 2560]);
        assert_eq!(dims("blk.30.attn_k.weight"), [0; 0]);
        assert!(
            bytes.contains(&plan.file_bytes()),
            "{name}: {} bytes",
            plan.file_bytes()
        );
    }
}

/// The bytes of the corpus. If they change, receipts of earlier runs refer to other models.
#[test]
fn small_models_have_the_same_bytes_on_every_machine() {
    let lines: Vec<String> = small_plans()
        .into_iter()
        .map(|(name, plan)| format!("{name} {}", sha256(&bytes_of(&plan))))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    default 3ce3391a774476d6af11ee35596881d9ce0a627710547ff01085f3325fd084f7
    tail-bitnet-b1.58-i2_s b0b2b5923003606b4070b7ced71561239a5f1d8da74a6a6101e8ad5ceeab8465
    tail-bitnet-b1.58-tq1_0 9b8860b29f5d1a883b2a422a154a735c02aeb4c8790c094d25e731324468bce3
    tail-bitnet-b1.58-tq2_0 c0aefc70861dd512b211719eb17418538c161de55d02566a40c15bc102683edc
    tail-bitnet-f32 cd8517682077f5d4d127021bf26aa67955108ef0df026e471e4094160713f301
    tail-bitnet-i2_s 105ab612381b11c664816d6dae2d37c9e52bf2495c3a6881e7c1300dc63ffcda
    tail-bitnet-tq1_0 60b868a0bb37ef715c6345c06255c153abbd8f98a2df5b13d4bd8f3e68ed8ee8
    tail-bitnet-tq2_0 2a870ef00740228d3781039f24b3189e893865437e550e3b586e93a65d4130d9
    tail-llama-f16 175e76dd2d308e9d5085bc9b303e5ba7c6a9916c46691548ee054aa598acb6dd
    tail-llama-i2_s b8e9edfaa8f41cd7b9a350a00ab01b2768138c93e1c4a0b5a676c1200907f3bb
    tail-llama-tq1_0 b9a71b2d26bc457c28dee240a6b32a56353f1ec294962e90f8e50b8134ae31b0
    tail-llama-tq2_0 7e05b88c76e8c6c4d22bdf9f54b668d51b058c4cea19a504c4b8e5846170b958
    tiny-bitnet-b1.58-i2_s ab6034626646ff40b81169fd4552029ba53bbb413fb500ee3d83a957ad0ff41b
    tiny-bitnet-b1.58-q6_k 2a4bc2480f5c415ac8dd26ef8227fb049423b550948dbfe27b247751a83ca306
    tiny-bitnet-b1.58-tq1_0 16d73eb4be7f114e86bc1d57f0028c852d8ee3a5504a0a3dfce5cccb4976e926
    tiny-bitnet-b1.58-tq2_0 9637039f0d9d2bb0a8a579f2a910174a41097d120040b3dca0d49517ccb3f753
    tiny-bitnet-f16 5f466c064c32ae9f7e4ead35d6666365915e7d49464a9718249a2967924a0ced
    tiny-bitnet-f32 bb383f642e51fd9ee2ae0d1e86c0ce27bbec172c10c2df19c1f75cb85bc93707
    tiny-bitnet-i2_s f17dbd757acf5f3a7be29586ec5203f59d6b80704d4380c9bdaa27434e946983
    tiny-bitnet-tq1_0 f1a8efc426c30159fc8c8661e8d21a36274d1077fefb64a2d6eeefe2b78f87ae
    tiny-bitnet-tq2_0 74730d9fab6fcff028d785e448964e58ee9842ac7aded8e1c1bc892c5104b7c5
    tiny-llama-f16 ec29031b01852b671b9a5b6de860b8d5ca044eca25bbcfbea4a59acd27b5b97f
    tiny-llama-f32 a4194b39a055e44ae78bbbeb4c6c85c56a2cd3e464f317d6020ba6ed93822b3e
    tiny-llama-i2_s 60a38fbb53b488910970552d2d0d5e15c48d31527af568619fc3239d419fd267
    tiny-llama-q6_k 3ee9652f19ca562c97b4a921fdb9a08f20661ecf9569fccd1ac196bbccd85da0
    tiny-llama-tq1_0 fa40dab39f2b9030c882334aef5345d7e73204541f0f0c672566c37b0b0492c4
    tiny-llama-tq2_0 c3682362a21609690f3433147c1ed145c7a83a587b08c5cb7a47e731c3ba3a5d
    ");
}

#[test]
fn small_models_read_back_as_planned() {
    for (name, plan) in small_plans() {
        let bytes = bytes_of(&plan);
        assert_eq!(bytes.len() as u64, plan.file_bytes(), "{name}");
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.str("general.name").unwrap(), name);
        let architecture = gguf.str("general.architecture").unwrap();
        assert_eq!(architecture, plan.recipe().architecture.name());
        let heads: u32 = gguf
            .u32(&format!("{architecture}.attention.head_count"))
            .unwrap();
        assert_eq!(heads, plan.recipe().sizes.heads);
        let names: Vec<_> = gguf
            .tensors()
            .map(|tensor| tensor.name().to_owned())
            .collect();
        let planned: Vec<_> = plan
            .tensors()
            .iter()
            .map(|tensor| tensor.name.clone())
            .collect();
        assert_eq!(names, planned, "{name}");
        for (planned, tensor) in plan.tensors().iter().zip(gguf.tensors()) {
            assert_eq!(planned.dims, tensor.dims(), "{name}: {}", planned.name);
        }
        let is_ternary = plan.recipe().weights.is_some();
        assert_eq!(ternary(&plan, &gguf).is_empty(), !is_ternary, "{name}");
    }
}

/// bitnet.cpp itself must load the files and decode.
#[test(needs(crate::needs::ORACLE))]
fn oracles_load_and_decode_every_small_model() {
    const TOKENS: [i32; 8] = [1, 5, 7, 9, 100, 31, 2, 8];
    let available = |build: &&cpp_shim::Build| build.availability().is_ok();
    for build in cpp_shim::builds().iter().filter(available) {
        let oracle = build.load().unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        for (name, plan) in small_plans() {
            let recipe = plan.recipe();
            let path = folder.path().join(name);
            create(&plan, &path, Existing::Refuse).unwrap();
            if !missing_types(oracle.description(), &Model::open(&path).unwrap()).is_empty() {
                continue;
            }
            let params = cpp_shim::SessionParams {
                n_ctx: 64,
                n_batch: 16,
                n_ubatch: 16,
                threads: 1,
                ..cpp_shim::SessionParams::default()
            };
            let mut session = oracle
                .open(&path, &params)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                session.n_vocab(),
                recipe.sizes.vocabulary as usize,
                "{name}"
            );
            assert_eq!(session.n_layer(), recipe.sizes.layers as usize, "{name}");
            session
                .decode(&TOKENS)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let last = session.logits(TOKENS.len() - 1).unwrap();
            assert!(last.iter().all(|logit| logit.is_finite()), "{name}");
            let (least, most) = last.iter().fold((f32::MAX, f32::MIN), |(least, most), &x| {
                (least.min(x), most.max(x))
            });
            assert!(
                (0.5..100.0).contains(&(most - least)),
                "{name}: {least} to {most}"
            );
        }
    }
}
