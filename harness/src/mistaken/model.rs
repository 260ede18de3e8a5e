//! Every planted mistake that concerns the forward pass.

use std::path::Path;

use qk256::dense::Element;
use qk256::format::{FORMATS, RawTensor, Weights, codes, pack};
use qk256::gguf::{GgmlType, Gguf, Tensor};
use qk256::kernel;
use qk256::model::{Config, Gate, Pairing};

use crate::cause::Fault;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::mapped;
use crate::rewrite::ModelDraft;
use crate::scratch::ScratchFile;
use crate::side::{Forward, reference_layout};
use crate::synth::DEFAULT_RECIPE;

/// A deliberate mistake in running a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelMistake {
    /// Stable name.
    pub name: &'static str,
    /// How it comes about.
    pub story: &'static str,
    /// The recipe of a model that shows it.
    pub recipe: &'static str,
    /// The node that it first shows in.
    pub node: &'static str,
    /// Which one of that name in the prefill's first batch.
    pub occurrence: usize,
    /// The operation that computes it.
    pub op: &'static str,
    /// By how much all of the node is too large, where that is all that is wrong with it.
    pub scale_ratio: Option<f64>,
    /// What is wrong.
    pub plant: Plant,
}

/// What a tensor becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Its new type.
    pub ggml_type: GgmlType,
    /// Its new bytes, which its unchanged dimensions must fit.
    pub data: Vec<u8>,
}

/// What of a forward pass is wrong: what the file means, how it computes, or what it reads.
#[derive(Debug, Clone, Copy)]
pub enum Plant {
    /// The graph.
    Graph(fn(&mut Config)),
    /// The element type of cached keys and values.
    Cache(Element),
    /// Tensors of the file.
    Tensors(fn(&Gguf<'_>, &Tensor<'_>) -> Option<Replacement>),
}

/// The mistakes, in the order in which a forward pass comes to them.
pub const MODEL_MISTAKES: &[ModelMistake] = &[
    ModelMistake {
        name: "activations-not-quantized",
        story: "weights are unpacked and multiplied with the activations as they are: nearer to the truth, and another model",
        recipe: DEFAULT_RECIPE,
        node: "Qcur-0",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: None,
        plant: Plant::Tensors(unpacked),
    },
    ModelMistake {
        name: "rope-of-the-wrong-kind",
        story: "neighbours are rotated together where the halves of a head should be, or the other way round",
        recipe: DEFAULT_RECIPE,
        node: "Qcur-0",
        occurrence: 1,
        op: "ROPE",
        scale_ratio: None,
        plant: Plant::Graph(|config| {
            config.rope.pairing = match config.rope.pairing {
                Pairing::Adjacent => Pairing::Halves,
                Pairing::Halves => Pairing::Adjacent,
            };
        }),
    },
    ModelMistake {
        name: "kv-cache-f32",
        story: "keys and values are kept as f32, where the reference rounds them, and what they meet, to f16",
        recipe: DEFAULT_RECIPE,
        node: "kq-0",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: None,
        plant: Plant::Cache(Element::F32),
    },
    ModelMistake {
        name: "sub-norm-skipped",
        story: "a loader that knows llama takes the sub-norms for tensors of no use",
        recipe: DEFAULT_RECIPE,
        node: "norm-0",
        occurrence: 1,
        op: "RMS_NORM",
        scale_ratio: None,
        plant: Plant::Graph(|config| config.sub_norms = false),
    },
    ModelMistake {
        name: "silu-for-relu-squared",
        story: "a loader that knows the older family of BitNet, which has the same tensors and differs in the gate alone",
        recipe: "tiny-bitnet-b1.58-i2_s",
        node: "ffn_relu-0",
        occurrence: 0,
        op: "RELU",
        scale_ratio: None,
        plant: Plant::Graph(|config| config.gate = Gate::Silu),
    },
    ModelMistake {
        name: "scale-of-one-layer-doubled",
        story: "one matrix among many gets the scale of its neighbour",
        recipe: DEFAULT_RECIPE,
        node: "attn_o_out-1",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: Some(2.0),
        plant: Plant::Tensors(doubled),
    },
];

impl ModelMistake {
    /// Id of the candidate.
    pub fn id(&self) -> String {
        format!("{}.mistaken.{}", Forward::ID, self.name)
    }

    /// What the diagnosis has to say of it.
    pub fn fault(&self) -> Fault {
        let layer = self
            .node
            .rsplit_once('-')
            .and_then(|(_, layer)| layer.parse().ok());
        Fault::Operation {
            op: Some(self.op.into()),
            node: self.node.into(),
            occurrence: self.occurrence,
            layer,
            scale_ratio: self.scale_ratio,
        }
    }

    /// The mistake as a candidate.
    pub fn engine(&self) -> Box<dyn Engine> {
        let right: fn(&mut Config) = |_| {};
        match self.plant {
            Plant::Graph(change) => Box::new(Forward::changed(&self.id(), change, Element::F16)),
            Plant::Cache(kv) => Box::new(Forward::changed(&self.id(), right, kv)),
            Plant::Tensors(change) => Box::new(OtherTensors {
                forward: Forward::changed(&self.id(), right, Element::F16),
                change,
            }),
        }
    }
}

/// The forward pass on a copy of the model with other tensors.
struct OtherTensors {
    forward: Forward,
    change: fn(&Gguf<'_>, &Tensor<'_>) -> Option<Replacement>,
}

impl OtherTensors {
    fn copy(&self, path: &Path) -> Result<ScratchFile, InferenceError> {
        let refused = |reason: String| InferenceError::Refused {
            side: self.forward.id().into(),
            reason,
        };
        let original = mapped::open(path).map_err(|error| refused(error.to_string()))?;
        let copy = ScratchFile::temporary().map_err(|error| refused(error.to_string()))?;
        let gguf = original.view();
        let mut draft = ModelDraft::of(&gguf);
        for (tensor, draft) in gguf.tensors().zip(&mut draft.tensors) {
            if let Some(Replacement { ggml_type, data }) = (self.change)(&gguf, &tensor) {
                (draft.ggml_type, draft.bytes) = (ggml_type, data.into());
            }
        }
        draft
            .write(copy)
            .map_err(|error| refused(error.to_string()))
    }
}

impl Engine for OtherTensors {
    fn id(&self) -> &str {
        self.forward.id()
    }

    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        let copy = self.copy(path)?;
        self.forward.with_model(copy.path(), params, work)
    }
}

/// A ternary tensor with what its bytes mean.
fn ternary<'a>(gguf: &Gguf<'_>, tensor: &Tensor<'a>) -> Option<Weights<'a>> {
    let is_ternary = FORMATS
        .iter()
        .any(|format| format.ggml_type == tensor.ggml_type());
    let raw = RawTensor {
        ggml_type: tensor.ggml_type(),
        rows: tensor.rows(),
        cols: tensor.columns(),
        span: tensor.bytes(),
    };
    if !is_ternary {
        return None;
    }
    Weights::from_tensor(raw, reference_layout(), gguf.alignment(), None).ok()
}

/// The weights as f32, which are multiplied with f32.
fn unpacked(gguf: &Gguf<'_>, tensor: &Tensor<'_>) -> Option<Replacement> {
    let weights = ternary(gguf, tensor)?;
    let mut values = vec![0.0f32; weights.rows() * weights.cols()];
    kernel::best(weights.format())
        .unpack(&weights, 0..weights.rows(), &mut values)
        .ok()?;
    Some(Replacement {
        ggml_type: GgmlType::F32,
        data: values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    })
}

/// The output matrix of attention in layer 1, with twice its scale.
fn doubled(gguf: &Gguf<'_>, tensor: &Tensor<'_>) -> Option<Replacement> {
    if tensor.name() != "blk.1.attn_output.weight" {
        return None;
    }
    let weights = ternary(gguf, tensor)?;
    let storage = weights.storage();
    let scales: Vec<f32> = (0..storage.scale_count())
        .map(|index| 2.0 * weights.scale(index))
        .collect();
    Some(Replacement {
        ggml_type: tensor.ggml_type(),
        data: pack(storage, &codes(&weights), &scales).ok()?,
    })
}
