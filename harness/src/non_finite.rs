//! Finds NaN and infinities in a model file. No result computed from them can be right.

use std::fmt;

use half::{bf16, f16};
use qk256::format::block::BlockFormat;
use qk256::format::{Layout, ScaleRule, Weights};
use qk256::gguf::{GgmlType, Tensor};

use crate::model::{Model, ModelError};

/// A NaN or infinity in a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// Name of the tensor.
    pub tensor: String,
    /// Place in the tensor, such as `scale of block 3 of row 17`.
    pub place: String,
    /// The value.
    pub value: f32,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NonFinite {
            tensor,
            place,
            value,
        } = self;
        write!(f, "tensor {tensor}: the {place} is {value}")
    }
}

/// The first NaN or infinity of the file, in the order of its tensors: scales of quantized tensors, elements of F32,
/// F16 and BF16 tensors. Reads every page that holds one of these.
///
/// # Errors
///
/// [`ModelError::Tensor`] if a ternary tensor cannot be read.
pub fn first(model: &Model, layout: Layout) -> Result<Option<NonFinite>, ModelError> {
    let ternary = model.ternary_tensors(layout)?;
    let of = |tensor: Tensor<'_>| {
        let weights = ternary.iter().find(|ternary| ternary.name == tensor.name());
        let (place, value) = match weights {
            Some(ternary) => in_scales(&ternary.weights)?,
            None => in_elements(&tensor)?,
        };
        let tensor = tensor.name().to_owned();
        Some(NonFinite {
            tensor,
            place,
            value,
        })
    };
    Ok(model.gguf().tensors().find_map(of))
}

fn in_scales(weights: &Weights<'_>) -> Option<(String, f32)> {
    let mut scales = (0..weights.storage().scale_count()).map(|i| (i, weights.scale(i)));
    let (index, value) = scales.find(|(_, scale)| !scale.is_finite())?;
    let place = match weights.format().scale {
        ScaleRule::Tensor => "scale".into(),
        ScaleRule::Block { weights: block } => {
            let per_row = weights.cols().div_ceil(block);
            format!(
                "scale of block {} of row {}",
                index % per_row,
                index / per_row
            )
        }
    };
    Some((place, value))
}

fn in_elements(tensor: &Tensor<'_>) -> Option<(String, f32)> {
    let elements = |bytes: usize, read: &dyn Fn(&[u8]) -> f32| {
        let data = tensor.data().unwrap_or(tensor.bytes());
        let mut values = data.chunks_exact(bytes).map(read).enumerate();
        values.find(|(_, value)| !value.is_finite())
    };
    let f16_at = |bytes: &[u8]| f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
    let cols = tensor.columns().max(1);
    let element = |(index, value): (usize, f32)| {
        let place = format!("element in column {} of row {}", index % cols, index / cols);
        (place, value)
    };
    match tensor.ggml_type() {
        GgmlType::F32 => {
            elements(4, &|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).map(element)
        }
        GgmlType::F16 => elements(2, &f16_at).map(element),
        GgmlType::BF16 => elements(2, &|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).map(element),
        other => in_blocks(BlockFormat::of(other)?, tensor.data()?, cols),
    }
}

/// The first scale, or scale of minimums, of a block.
fn in_blocks(format: &BlockFormat, data: &[u8], cols: usize) -> Option<(String, f32)> {
    let minimum = format
        .minimum
        .map(|minimum| ("scale of minimums", minimum.scale));
    let scales = [Some(("scale", format.scale)), minimum];
    let per_row = cols / format.weights;
    let of_block = |(index, block): (usize, &[u8])| {
        scales.iter().flatten().find_map(|(name, scale)| {
            let values = (0..format.weights).step_by(scale.run);
            let value = values
                .map(|weight| scale.get(block, weight))
                .find(|value| !value.is_finite())?;
            let (row, block) = (index / per_row, index % per_row);
            Some((format!("{name} of block {block} of row {row}"), value))
        })
    };
    data.chunks_exact(format.bytes)
        .enumerate()
        .find_map(of_block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::participant::reference_layout;
    use crate::progress::Progress;
    use crate::rewrite::ModelDraft;
    use crate::synth::TemporaryModel;

    /// Searches the model of a recipe after writing `bytes` at an offset of a tensor, counted from its end if negative.
    fn found(recipe: &str, tensor: &str, at: isize, bytes: &[u8]) -> Option<String> {
        let original = TemporaryModel::create(recipe, &Progress::silent()).unwrap();
        let model = Model::open(original.path()).unwrap();
        let gguf = model.gguf();
        let mut draft = ModelDraft::of(&gguf);
        let changed = draft.tensors.iter_mut().find(|draft| draft.name == tensor);
        let data = changed.expect("the tensor").bytes.to_mut();
        let at = at.rem_euclid(data.len() as isize) as usize;
        data[at..][..bytes.len()].copy_from_slice(bytes);
        let copy = original.path().with_extension("changed.gguf");
        draft.write(std::fs::File::create(&copy).unwrap()).unwrap();
        let changed = Model::open(&copy).unwrap();
        first(&changed, reference_layout())
            .unwrap()
            .map(|found| found.to_string())
    }

    #[test]
    fn the_tensor_the_place_and_the_value_are_named() {
        let down = "blk.0.ffn_down.weight";
        let nan = f16::NAN.to_le_bytes();
        let cases: [(_, _, _, &[u8], _); 6] = [
            // One scale, followed by 28 bytes of padding.
            (
                "tiny-bitnet-i2_s",
                down,
                -32,
                &f32::NAN.to_le_bytes(),
                "the scale is NaN",
            ),
            (
                "tiny-llama-tq2_0",
                down,
                66 * 4 - 2,
                &nan,
                "the scale of block 0 of row 1 is NaN",
            ),
            (
                "tiny-bitnet-tq1_0",
                down,
                54 - 2,
                &f16::INFINITY.to_le_bytes(),
                "the scale of block 0 of row 0 is inf",
            ),
            (
                "tiny-llama-tq2_0",
                "blk.1.attn_norm.weight",
                12,
                &f32::NEG_INFINITY.to_le_bytes(),
                "the element in column 3 of row 0 is -inf",
            ),
            (
                "tiny-llama-tq2_0",
                "token_embd.weight",
                2,
                &nan,
                "the element in column 1 of row 0 is NaN",
            ),
            ("tiny-llama-q6_k", "output.weight", -2, &nan, "is NaN"),
        ];
        for (recipe, tensor, at, bytes, wanted) in cases {
            let found = found(recipe, tensor, at, bytes).unwrap_or_default();
            assert!(
                found.contains(tensor) && found.ends_with(wanted),
                "{recipe}: {found}"
            );
        }
        assert_eq!(found("tiny-llama-tq2_0", down, 0, &[0]), None);
    }
}
