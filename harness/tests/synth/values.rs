//! Generated values: what may change them, and whether they follow the recipe.

use harness::synth::{
    Content, DEFAULT_RECIPE, DenseType, Matrix, Override, Plan, Recipe, ScaleRange, ScaleSharing,
    find,
};
use qk256::dense::Dense;
use qk256::format::{FORMATS, Format, ScaleRule, TQ1_0, codes, pack};
use qk256::gguf::Gguf;

use super::{bytes_of, plan, sha256, ternary, tiny_in, weights};
use testing::test;

#[test]
fn the_number_of_threads_does_not_change_the_bytes() {
    let plan = plan(DEFAULT_RECIPE);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| sha256(&bytes_of(&plan)))
    };
    let alone = with(1);
    for threads in [2, 3, 8] {
        assert_eq!(with(threads), alone, "{threads} threads");
    }
}

#[test]
fn the_seed_changes_the_bytes() {
    let recipe = find("tiny-bitnet-i2_s").unwrap();
    let other = Recipe {
        seed: recipe.seed + 1,
        ..recipe.clone()
    };
    let [one, other] = [recipe, other].map(|recipe| bytes_of(&Plan::new(recipe).unwrap()));
    assert_eq!(one.len(), other.len());
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(
        same < one.len() / 4,
        "{same} of {} bytes are the same",
        one.len()
    );
}

#[test]
fn pieces_join_to_what_packing_a_whole_matrix_gives() {
    for format in FORMATS {
        let recipe = tiny_in(format, |_| {});
        let plan = Plan::new(recipe).unwrap();
        let bytes = bytes_of(&plan);
        for (name, weights) in ternary(&plan, &Gguf::parse(&bytes).unwrap()) {
            let storage = weights.storage();
            let scales: Vec<f32> = (0..storage.scale_count())
                .map(|i| weights.scale(i))
                .collect();
            let packed = pack(storage, &codes(&weights), &scales).unwrap();
            assert!(packed == weights.bytes(), "{}: {name}", format.id);
        }
    }
}

#[test]
fn q6_k_rounds_the_values_of_a_seed() {
    let values = |element| {
        let mut recipe = find("tiny-llama-q6_k").unwrap();
        recipe.embedding.element = element;
        let bytes = bytes_of(&Plan::new(recipe).unwrap());
        let gguf = Gguf::parse(&bytes).unwrap();
        let tensor = gguf.tensor("token_embd.weight").unwrap();
        assert_eq!(tensor.ggml_type(), element.ggml_type());
        let matrix = Dense::from_tensor(&tensor).unwrap();
        let mut values = vec![0.0; matrix.rows() * matrix.cols()];
        let rows = values.chunks_exact_mut(matrix.cols());
        rows.enumerate()
            .for_each(|(row, out)| matrix.read_row(row, out));
        values
    };
    let (exact, rounded) = (values(DenseType::F32), values(DenseType::Q6K));
    let runs = exact.chunks(16).zip(rounded.chunks(16));
    for (block, (exact, rounded)) in runs.enumerate() {
        // Half a step of 1/32 of the largest, plus the rounding of scales and factor. The far end has only 31 steps.
        let most = exact
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()));
        for (a, b) in exact.iter().zip(rounded) {
            assert!((a - b).abs() < most / 25.0, "run {block}: {a} became {b}");
        }
    }
    let zero = find("tiny-llama-q6_k").map(|mut recipe| {
        recipe.embedding.spread = 0.0;
        recipe
    });
    let plan = Plan::new(zero.unwrap()).unwrap();
    let bytes = bytes_of(&plan);
    let tensor = Gguf::parse(&bytes)
        .unwrap()
        .tensor("token_embd.weight")
        .unwrap();
    let mut row = [1.0; 256];
    Dense::from_tensor(&tensor).unwrap().read_row(319, &mut row);
    assert_eq!(row, [0.0; 256]);
}

#[test]
fn formats_share_the_codes_of_a_seed() {
    let codes_in = |format: &Format, sharing| {
        let plan = Plan::new(tiny_in(format, |recipe| {
            weights(recipe).scale_sharing = sharing
        }));
        let plan = plan.unwrap();
        let bytes = bytes_of(&plan);
        let (_, weights) = ternary(&plan, &Gguf::parse(&bytes).unwrap()).pop().unwrap();
        codes(&weights)
    };
    let expected = codes_in(&FORMATS[0], ScaleSharing::Tensor);
    for format in FORMATS {
        for sharing in [ScaleSharing::Tensor, ScaleSharing::Block] {
            assert!(
                codes_in(format, sharing) == expected,
                "{} {sharing:?}",
                format.id
            );
        }
    }
}

#[test]
fn codes_and_scales_follow_the_recipe() {
    let range = ScaleRange(0.25, 4.0);
    for format in FORMATS {
        for (shares, sharing) in [
            ([1, 2, 1, 0], ScaleSharing::Tensor),
            ([0, 0, 1, 0], ScaleSharing::Block),
        ] {
            let recipe = tiny_in(format, |recipe| {
                weights(recipe).code_shares = shares;
                weights(recipe).scale = range;
                weights(recipe).scale_sharing = sharing;
            });
            let plan = Plan::new(recipe).unwrap();
            let bytes = bytes_of(&plan);
            let (_, weights) = ternary(&plan, &Gguf::parse(&bytes).unwrap()).pop().unwrap();
            let n = (weights.rows() * weights.cols()) as f64;
            let total: u32 = shares.iter().sum();
            for (count, share) in weights.histogram().into_iter().zip(shares) {
                let expected = f64::from(share) / f64::from(total);
                assert!(
                    (count as f64 / n - expected).abs() < 0.01,
                    "{}: {count}",
                    format.id
                );
            }
            let mut scales: Vec<f32> = (0..weights.storage().scale_count())
                .map(|i| weights.scale(i))
                .collect();
            assert!(
                scales
                    .iter()
                    .all(|scale| (range.0..=range.1).contains(scale))
            );
            scales.dedup();
            let varied = scales.len() > 1;
            let has_blocks = matches!(format.scale, ScaleRule::Block { .. });
            assert_eq!(
                varied,
                has_blocks && sharing == ScaleSharing::Block,
                "{}",
                format.id
            );
        }
    }
}

#[test]
fn an_override_changes_one_kind_of_matrix() {
    let recipe = tiny_in(&FORMATS[0], |recipe| {
        let over = Override {
            format: Some(TQ1_0.id.to_owned()),
            ..Override::default()
        };
        recipe.overrides.insert(Matrix::FfnDown, over);
    });
    let plan = Plan::new(recipe).unwrap();
    for tensor in plan.tensors() {
        let Content::Ternary(content) = tensor.content else {
            continue;
        };
        let expected = if tensor.name.contains("ffn_down") {
            TQ1_0
        } else {
            FORMATS[0]
        };
        assert_eq!(*content.storage().format(), expected, "{}", tensor.name);
    }
}
