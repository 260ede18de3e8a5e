//! Tests with small F32 models in memory, which need no reference.

use std::collections::HashMap;

use super::*;
use crate::dense::Element;
use crate::gguf::{Builder, GgmlType};

const WIDTH: usize = 16;
const INNER: usize = 24;
const VOCABULARY: usize = 11;

/// Tensors of a model of one layer with two heads that share keys and values, 8 wide.
fn tensors(architecture: Architecture) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("token_embd.weight", vec![WIDTH, VOCABULARY]),
        ("output_norm.weight", vec![WIDTH]),
        ("blk.0.attn_norm.weight", vec![WIDTH]),
        ("blk.0.attn_q.weight", vec![WIDTH, WIDTH]),
        ("blk.0.attn_k.weight", vec![WIDTH, WIDTH / 2]),
        ("blk.0.attn_v.weight", vec![WIDTH, WIDTH / 2]),
        ("blk.0.attn_output.weight", vec![WIDTH, WIDTH]),
        ("blk.0.ffn_norm.weight", vec![WIDTH]),
        ("blk.0.ffn_gate.weight", vec![WIDTH, INNER]),
        ("blk.0.ffn_up.weight", vec![WIDTH, INNER]),
        ("blk.0.ffn_down.weight", vec![INNER, WIDTH]),
    ];
    if architecture.has_sub_norms() {
        tensors.push(("blk.0.attn_sub_norm.weight", vec![WIDTH]));
        tensors.push(("blk.0.ffn_sub_norm.weight", vec![INNER]));
    }
    if architecture == Architecture::Qwen2 {
        tensors.push(("blk.0.attn_q.bias", vec![WIDTH]));
        tensors.push(("blk.0.attn_k.bias", vec![WIDTH / 2]));
        tensors.push(("blk.0.attn_v.bias", vec![WIDTH / 2]));
    }
    tensors
        .into_iter()
        .map(|(name, dims)| (name.to_owned(), dims))
        .collect()
}

/// A file of these tensors, filled with pseudo-random numbers.
fn file(architecture: &str, tensors: &[(String, Vec<usize>)]) -> Vec<u8> {
    let mut builder = Builder::default();
    builder
        .metadata("general.architecture", architecture)
        .unwrap();
    let sizes = [
        ("block_count", 1),
        ("embedding_length", WIDTH),
        ("feed_forward_length", INNER),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
    ];
    for (key, size) in sizes {
        builder
            .metadata(&format!("{architecture}.{key}"), size as u32)
            .unwrap();
    }
    let epsilon = format!("{architecture}.attention.layer_norm_rms_epsilon");
    builder.metadata(&epsilon, 1e-5f32).unwrap();
    for (name, dims) in tensors {
        let bytes = 4 * dims.iter().product::<usize>() as u64;
        builder.tensor(name, dims, GgmlType::F32, bytes).unwrap();
    }
    let mut writer = builder.start(Vec::new()).unwrap();
    let mut state = 1u32;
    for (name, dims) in tensors {
        let data: Vec<u8> = (0..dims.iter().product::<usize>())
            .flat_map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / (1 << 23) as f32 - 1.0).to_le_bytes()
            })
            .collect();
        writer = writer.tensor(name, &data).unwrap();
    }
    writer.finish().unwrap()
}

fn model_file(architecture: Architecture) -> Vec<u8> {
    file(architecture.name(), &tensors(architecture))
}

fn load(bytes: &[u8]) -> Result<Model<'_>, ModelError> {
    Model::load(&Gguf::parse(bytes).unwrap(), &LoadParams::default())
}

fn refusal(architecture: &str, tensors: &[(String, Vec<usize>)]) -> ModelError {
    load(&file(architecture, tensors)).map(|_| ()).unwrap_err()
}

#[test]
fn files_that_do_not_fit_are_refused_by_the_tensors_name() {
    let whole = tensors(Architecture::Bitnet);
    for (index, (name, _)) in whole.iter().enumerate() {
        let mut missing = whole.clone();
        missing.remove(index);
        let error = refusal("bitnet", &missing);
        assert!(matches!(error, ModelError::Gguf(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");

        let mut misshapen = whole.clone();
        misshapen[index].1[0] += 1;
        let error = refusal("bitnet", &misshapen);
        assert!(
            matches!(&error, ModelError::Shape { tensor, .. } if tensor == name),
            "{error}"
        );
    }
    let error = refusal("llama", &whole);
    assert!(matches!(error, ModelError::Unused { .. }), "{error}");
    let error = refusal("mamba", &whole);
    assert!(matches!(error, ModelError::Architecture { .. }), "{error}");
}

#[test]
fn tokens_and_contexts_that_do_not_fit_are_refused_before_anything_is_computed() {
    let bytes = model_file(Architecture::Llama);
    let model = load(&bytes).unwrap();
    let params = ContextParams {
        n_ctx: 32,
        ..ContextParams::default()
    };
    let mut context = Context::new(&model, params).unwrap();
    let mut untouched = |node: Node<'_>| panic!("{} was computed", node.name);
    let error = context
        .decode(&[1, VOCABULARY as u32], &mut untouched)
        .unwrap_err();
    assert!(
        matches!(error, ModelError::Token { index: 1, .. }),
        "{error}"
    );
    let error = context.decode(&[], &mut untouched).unwrap_err();
    assert!(matches!(error, ModelError::NoTokens), "{error}");
    let error = context.decode(&[1; 33], &mut untouched).unwrap_err();
    assert!(matches!(error, ModelError::ContextFull { .. }), "{error}");
    assert_eq!(context.decoded(), 0);

    for params in [
        ContextParams { n_ctx: 0, ..params },
        ContextParams {
            n_ubatch: 0,
            ..params
        },
        ContextParams {
            threads: 0,
            ..params
        },
    ] {
        let error = Context::new(&model, params).unwrap_err();
        assert!(matches!(error, ModelError::Parameter { .. }), "{error}");
    }
    let huge = ContextParams {
        n_ctx: usize::MAX,
        ..params
    };
    assert!(matches!(
        Context::new(&model, huge),
        Err(ModelError::Memory { .. })
    ));
}

#[test]
fn ubatches_threads_rewinding_and_tracing_change_no_bit() {
    for architecture in Architecture::ALL {
        let bytes = model_file(architecture);
        let model = load(&bytes).unwrap();
        let tokens: Vec<u32> = (0..80).map(|i| i * 7 % VOCABULARY as u32).collect();
        for kv in [Element::F16, Element::F32] {
            let params = ContextParams {
                n_ctx: 96,
                kv,
                ..ContextParams::default()
            };
            let whole = Context::new(&model, params)
                .unwrap()
                .decode(&tokens, &mut NoTrace)
                .unwrap();
            assert!(whole.iter().all(|logit| logit.is_finite()));
            let other = ContextParams {
                n_ubatch: 3,
                threads: 2,
                ..params
            };
            let mut context = Context::new(&model, other).unwrap();
            context.decode(&[5; 9], &mut NoTrace).unwrap();
            context.rewind(0);
            assert_eq!(
                context.decode(&tokens, &mut NoTrace).unwrap(),
                whole,
                "{architecture:?} {kv:?}"
            );
            let mut context = Context::new(&model, params).unwrap();
            let traced = context.decode(&tokens, &mut |_: Node<'_>| {}).unwrap();
            assert_eq!(traced, whole, "{architecture:?} {kv:?} traced");
        }
    }
}

#[test]
fn the_gate_of_b158_is_relu_squared() {
    let bytes = model_file(Architecture::BitnetB158);
    let model = load(&bytes).unwrap();
    let mut context = Context::new(&model, ContextParams::default()).unwrap();
    let mut nodes: HashMap<String, Vec<f32>> = HashMap::new();
    let mut keep = |node: Node<'_>| {
        nodes.insert(node.name.to_owned(), node.values.to_vec());
    };
    context.decode(&[1, 2, 3], &mut keep).unwrap();
    let (gate, up, out) = (
        &nodes["ffn_gate-0"],
        &nodes["ffn_up-0"],
        &nodes["ffn_sub_out-0"],
    );
    assert!(gate.iter().any(|&x| x < 0.0) && gate.iter().any(|&x| x > 0.0));
    for ((gate, up), out) in gate.iter().zip(up).zip(out) {
        let wanted = gate.max(0.0) * gate.max(0.0) * up;
        assert_eq!(*out, wanted);
    }
}

#[test]
fn a_changed_configuration_computes_another_graph_of_the_same_weights() {
    let bytes = model_file(Architecture::Bitnet);
    let gguf = Gguf::parse(&bytes).unwrap();
    let names = |config: Config| {
        let model = Model::with_config(&gguf, config, &LoadParams::default()).unwrap();
        let mut names = Vec::new();
        let mut keep = |node: Node<'_>| names.push(node.name.to_owned());
        let mut context = Context::new(&model, ContextParams::default()).unwrap();
        context.decode(&[1, 2], &mut keep).unwrap();
        names
    };
    let config = Config::read(&gguf).unwrap();
    let whole = names(config.clone());
    for node in ["attn_sub_norm-0", "ffn_sub_norm-0", "ffn_silu-0"] {
        assert!(whole.iter().any(|name| name == node), "{node}");
    }
    let changed = names(Config {
        gate: Gate::ReluSquared,
        sub_norms: false,
        ..config
    });
    for node in ["attn_sub_norm-0", "ffn_sub_norm-0", "ffn_silu-0"] {
        assert!(changed.iter().all(|name| name != node), "{node}");
    }
    assert!(changed.iter().any(|name| name == "ffn_sqr(relu)-0"));
}
