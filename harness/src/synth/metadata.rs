//! The metadata that llama.cpp and bitnet.cpp need to load a model without a tokenizer.

use qk256::format::Format;
use qk256::gguf::{Builder, GgmlType, WriteError};

use super::recipe::Recipe;

/// Declares the metadata. Keys are those of `LLM_KV_NAMES` in `llama.cpp` of `bitnet-cpp-sys`
/// 0.0.5.
pub(super) fn declare(recipe: &Recipe, builder: &mut Builder) -> Result<(), WriteError> {
    let sizes = &recipe.sizes;
    let architecture = recipe.architecture.name();
    let description = format!("synthetic: recipe {}, seed {}", recipe.name(), recipe.seed);
    builder
        .metadata("general.architecture", architecture)?
        .metadata("general.name", recipe.name())?
        .metadata("general.description", description.as_str())?;
    let counts = [
        ("vocab_size", sizes.vocabulary),
        ("context_length", sizes.context),
        ("embedding_length", sizes.embedding),
        ("block_count", sizes.layers),
        ("feed_forward_length", sizes.feed_forward),
        ("attention.head_count", sizes.heads),
        ("attention.head_count_kv", sizes.kv_heads),
        ("rope.dimension_count", sizes.head()),
    ];
    for (key, value) in counts {
        builder.metadata(&format!("{architecture}.{key}"), value)?;
    }
    let numbers = [
        ("attention.layer_norm_rms_epsilon", recipe.rms_epsilon),
        ("rope.freq_base", recipe.rope_base),
    ];
    for (key, value) in numbers {
        builder.metadata(&format!("{architecture}.{key}"), value)?;
    }
    builder.metadata("tokenizer.ggml.model", "no_vocab")?;
    let format = recipe.weights.as_ref();
    let format = format.and_then(|weights| Format::by_id(&weights.format));
    if let Some(file_type) = format.and_then(file_type) {
        builder.metadata("general.file_type", file_type)?;
    }
    Ok(())
}

/// `LLAMA_FTYPE_MOSTLY_*` of `llama.h` of `bitnet-cpp-sys` 0.0.5.
fn file_type(format: &Format) -> Option<u32> {
    match format.ggml_type {
        GgmlType::TQ1_0 => Some(36),
        GgmlType::TQ2_0 => Some(37),
        GgmlType::I2_S => Some(40),
        _ => None,
    }
}
