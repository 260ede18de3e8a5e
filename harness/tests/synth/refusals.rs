//! Errors of invalid recipes.

use harness::synth::{
    DenseType, Matrix, Override, Plan, Problem, Recipe, ScaleRange, SynthError, embedded, find,
};
use qk256::format::{FORMATS, TQ1_0};

use super::{tiny_in, weights};
use testing::test;

#[test]
fn errors_of_recipes_name_the_field_and_the_reason() {
    let (_, good) = embedded()
        .into_iter()
        .find(|(name, _)| *name == "tiny-bitnet-i2_s")
        .unwrap();
    let printed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        Recipe::parse("bad.toml", &text)
            .and_then(Plan::new)
            .unwrap_err()
            .to_string()
    };
    let table = [
        ("seed = 1", "sead = 1"),
        ("seed = 1", "# none"),
        ("\"bitnet\"", "\"bitnet-2\""),
        ("scale = [0.02, 0.08]", "scale = 1.0"),
        ("heads = 4", "heads = 3"),
        ("heads = 4", "heads = 256"),
        ("kv_heads = 2", "kv_heads = 3"),
        ("layers = 2", "layers = 0"),
        ("vocabulary = 320", "vocabulary = 0"),
        ("embedding = 256", "embedding = 4294967295"),
        ("embedding = 256", "embedding = 320"),
        (
            "[norms]",
            "[override.ffn_dawn]\nformat = \"tq2_0\"\n\n[norms]",
        ),
        ("i2_s.group128", "i2_s.group32"),
        ("[3, 4, 3, 0]", "[0, 0, 0, 0]"),
        ("[0.02, 0.08]", "[0.08, 0.02]"),
        ("[0.02, 0.08]", "[0.0, 0.08]"),
        ("[0.02, 0.08]", "[0.02, nan]"),
        ("spread = 0.1", "spread = -1.0"),
        ("rms_epsilon = 1e-5", "rms_epsilon = inf"),
        (
            "[norms]",
            "[output]\ntype = \"f16\"\nspread = 1.0\n\n[norms]",
        ),
        ("seed = 1", "seed = 1\nrope_factors = [1.0, 8.0]"),
    ];
    let messages: Vec<String> = table.iter().map(|(from, to)| printed(from, to)).collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    bad.toml:3:1: unknown field `sead`, expected one of `architecture`, `seed`, `rope_base`, `rms_epsilon`, `sizes`, `embedding`, `rope_factors`, `output`, `norms`, `weights`, `dense`, `override`
    bad.toml:1:1: missing field `seed`
    bad.toml:2:16: unknown variant `bitnet-2`, expected one of `bitnet`, `bitnet-b1.58`, `llama`
    bad.toml:27:9: invalid type: floating point `1.0`, expected two numbers, the least and the greatest scale
    bad.toml: sizes.heads: found 3, expected a divisor of 256, the width of the embedding
    bad.toml: sizes.heads: found heads of 1 elements, expected an even number: RoPE rotates pairs
    bad.toml: sizes.kv_heads: found 3, expected a divisor of 4, the number of heads
    bad.toml: sizes.layers: found 0, expected 1 to 512
    bad.toml: sizes.vocabulary: found 0, expected 1 to 1048576
    bad.toml: sizes.embedding: found 4294967295, expected 1 to 262144
    bad.toml: weights.format: attn_q is 320 x 320: 320 columns are no multiple of 128, as i2_s.group128 stored as qk256 needs; padded rows may have any length
    bad.toml:20:11: unknown variant `ffn_dawn`, expected one of `attn_q`, `attn_k`, `attn_v`, `attn_output`, `ffn_gate`, `ffn_up`, `ffn_down`
    bad.toml: weights.format: found `i2_s.group32`, expected one of i2_s.group128, i2_s.group64, i2_s.rows4, i2_s.sequential, tq2_0, tq1_0, bitnet32
    bad.toml: weights.code_shares: found 0, expected 1 to 65536
    bad.toml: weights.scale: found the range 0.08 to 0.02, expected the lesser number first
    bad.toml: weights.scale: found 0.0, expected 1.1754944e-38 to 3.4028235e38
    bad.toml: weights.scale: found NaN, expected 1.1754944e-38 to 3.4028235e38
    bad.toml: embedding.spread: found -1.0, expected 0.0 to 1000.0
    bad.toml: rms_epsilon: found inf, expected 0.0 to 1.0
    bad.toml: output: the architecture bitnet has no output matrix of its own; leave the field out
    bad.toml: rope_factors: the architecture bitnet has no divisors of rotary angles; leave the field out
    ");
}

#[test]
fn errors_of_shapes_name_the_field() {
    let refused = |recipe: Recipe| match Plan::new(recipe) {
        Err(SynthError::Invalid { field, problem, .. }) => (field, problem),
        other => panic!("{other:?}"),
    };
    let (field, problem) = refused(tiny_in(&TQ1_0, |recipe| weights(recipe).code_shares[3] = 1));
    assert_eq!(field, "weights.code_shares");
    assert_eq!(problem, Problem::Code { format: "tq1_0" });

    let (field, problem) = refused(tiny_in(&FORMATS[0], |recipe| {
        recipe.sizes.feed_forward = 640;
        let over = Override {
            format: Some(TQ1_0.id.to_owned()),
            ..Override::default()
        };
        recipe.overrides.insert(Matrix::FfnDown, over);
    }));
    assert_eq!(field, "override.ffn_down.format");
    let text = problem.to_string();
    assert!(
        text.starts_with("ffn_down is 256 x 640") && text.contains("multiple of 256"),
        "{text}"
    );

    // Out of range for f16, which I2_S does not use.
    let too_large = |recipe: &mut Recipe| weights(recipe).scale = ScaleRange(1.0, 1e6);
    assert!(Plan::new(tiny_in(&FORMATS[0], too_large)).is_ok());
    assert_eq!(refused(tiny_in(&TQ1_0, too_large)).0, "weights.scale");

    let mut llama = find("tiny-llama-i2_s").unwrap();
    weights(&mut llama).scale_tensors = Some(ScaleRange(1.0, 1.0));
    assert_eq!(refused(llama).0, "weights.scale_tensors");

    let mut q6_k = find("tail-bitnet-i2_s").unwrap();
    q6_k.embedding.element = DenseType::Q6K;
    let (field, problem) = refused(q6_k);
    assert_eq!(field, "embedding.type");
    let (found, multiple) = (384, 256);
    assert_eq!(problem, Problem::Blocks { found, multiple });

    let mut both = find("tiny-bitnet-f16").unwrap();
    both.weights = find("tiny-bitnet-i2_s").unwrap().weights;
    assert_eq!(refused(both), ("dense".to_owned(), Problem::Matrices));
    let mut neither = find("tiny-bitnet-f16").unwrap();
    neither.dense = None;
    assert_eq!(refused(neither), ("weights".to_owned(), Problem::Matrices));
    let mut narrow = find("tail-llama-f16").unwrap();
    narrow.dense.as_mut().unwrap().element = DenseType::Q6K;
    let (found, multiple) = (328, 256);
    assert_eq!(
        refused(narrow),
        ("dense.type".to_owned(), Problem::Blocks { found, multiple })
    );
}
