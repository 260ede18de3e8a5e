//! Compares the forward pass in Rust with the strict oracle on models that no recipe makes: dense matrices instead of
//! ternary ones.

mod common;

use common::draft::Edit;
use common::forward::{Run, compare, strict, tokens};
use common::{IDENTITY, generate};
use cpp_shim::{Format, Oracle};
use harness::rewrite::ModelDraft;
use qk256::gguf::{GgmlType, GgufFile, Value};
use tempfile::tempdir;
use testing::test;

/// `n` values around zero with the spread of an embedding.
fn values(n: usize) -> Vec<f32> {
    let value = |i: usize| ((i * 7919 + i / 13) % 1009) as f32 / 1009.0 - 0.5;
    (0..n).map(|i| value(i) / 5.0).collect()
}

/// `attn_q` of `blk.0.attn_q.weight`.
fn part_of(name: &str) -> Option<&str> {
    name.strip_suffix(".weight")?.rsplit('.').next()
}

/// The type of the file format with the name of an oracle's type.
fn ggml_type(format: Format) -> GgmlType {
    let mut all = GgmlType::ALL.iter().copied();
    all.find(|known| known.name() == Some(format.name()))
        .unwrap()
}

/// Replaces matrices, named by their part in a layer, by others whose type the oracle converts to.
fn convert(oracle: &Oracle, draft: &mut ModelDraft<'_>, conversions: &[(&str, Format)]) {
    for &(part, format) in conversions {
        let mut found = 0;
        for tensor in &mut draft.tensors {
            let [cols, rows] = tensor.dims[..] else {
                continue;
            };
            if part_of(&tensor.name) == Some(part) {
                let bytes = oracle.quantize(format, rows, cols, &values(rows * cols));
                tensor.bytes = bytes.unwrap().into();
                tensor.ggml_type = ggml_type(format);
                found += 1;
            }
        }
        assert!(found > 0, "no matrix {part}");
    }
}

/// Every layer has one matrix of each type. The embedding is Q6_K and the output matrix F16.
#[test(needs(IDENTITY))]
fn matrices_that_are_not_ternary() {
    const DENSE: [(&str, Format); 7] = [
        ("attn_q", Format::Q6_K),
        ("attn_k", Format::F16),
        ("attn_v", Format::F32),
        ("attn_output", Format::F16),
        ("ffn_gate", Format::F32),
        ("ffn_up", Format::Q6_K),
        ("ffn_down", Format::Q6_K),
    ];
    let build = strict();
    let oracle = build.load().unwrap();
    let folder = tempdir().unwrap();
    let all = tokens(21);
    let run = Run {
        n_ubatch: 16,
        ..Run::of(&[&all[..20], &all[20..]])
    };
    let embedding = ("token_embd", Format::Q6_K);
    for (recipe, conversions) in [
        ("tiny-bitnet-tq2_0", DENSE.to_vec()),
        (
            "tiny-bitnet-b1.58-tq2_0",
            [&[embedding], &DENSE[..]].concat(),
        ),
        ("tiny-llama-tq2_0", [&[embedding], &DENSE[..]].concat()),
    ] {
        let file = GgufFile::open(&generate(recipe, folder.path())).unwrap();
        let mut draft = ModelDraft::of(&file.view());
        convert(&oracle, &mut draft, &conversions);
        let path = folder.path().join(format!("dense-{recipe}.gguf"));
        draft.save(&path);
        compare(build, &path, &run);
    }
}

/// A model of other sizes with all matrices in one dense format.
fn resized<'a>(
    oracle: &Oracle,
    mut draft: ModelDraft<'a>,
    kv_heads: usize,
    format: Format,
) -> ModelDraft<'a> {
    // Three heads of 46, and rows that end within a vector register. No ternary format could hold them.
    let (width, inner, head) = (138, 201, 46);
    for (key, value) in [
        ("embedding_length", width),
        ("feed_forward_length", inner),
        ("attention.head_count", 3),
        ("attention.head_count_kv", kv_heads),
        ("rope.dimension_count", head),
    ] {
        draft = draft.set(key, Some(Value::U32(value as u32)));
    }
    let mut matrices = Vec::new();
    for tensor in &mut draft.tensors {
        let part = part_of(&tensor.name).expect("no scale tensors");
        let dims = match part {
            "token_embd" | "output" => vec![width, tensor.dims[1]],
            "attn_q" | "attn_output" => vec![width, width],
            "attn_k" | "attn_v" => vec![width, head * kv_heads],
            "ffn_gate" | "ffn_up" => vec![width, inner],
            "ffn_down" => vec![inner, width],
            "ffn_sub_norm" => vec![inner],
            _ => vec![width],
        };
        if dims.len() == 2 {
            matrices.push((part.to_owned(), format));
        } else {
            let weights = values(dims[0]).into_iter();
            tensor.bytes = weights
                .flat_map(|weight| (1.0 + weight).to_le_bytes())
                .collect();
        }
        tensor.dims = dims;
    }
    let matrices: Vec<_> = matrices
        .iter()
        .map(|(part, format)| (part.as_str(), *format))
        .collect();
    convert(oracle, &mut draft, &matrices);
    draft
}

#[test(needs(IDENTITY))]
fn dense_matrices_of_any_width() {
    let build = strict();
    let oracle = build.load().unwrap();
    let folder = tempdir().unwrap();
    let all = tokens(37);
    let run = Run::of(&[&all[..36], &all[36..]]);
    for recipe in [
        "tiny-bitnet-i2_s",
        "tiny-bitnet-b1.58-i2_s",
        "tiny-llama-tq1_0",
    ] {
        let file = GgufFile::open(&generate(recipe, folder.path())).unwrap();
        for (format, kv_heads) in [(Format::F16, 3), (Format::F16, 1), (Format::F32, 1)] {
            let path = folder.path().join("any-width.gguf");
            resized(&oracle, ModelDraft::of(&file.view()), kv_heads, format).save(&path);
            compare(build, &path, &run);
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
