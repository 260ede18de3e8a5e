//! The mutants of the forward pass.

use std::path::Path;

use qk256::dense::Element;
use qk256::format::{FORMATS, RawTensor, Weights, codes, pack};
use qk256::gguf::{GgmlType, Gguf, Tensor};
use qk256::kernel;
use qk256::model::{Config, Gate, Pairing};

use crate::cause::Fault;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::mapped;
use crate::participant::{Forward, reference_layout};
use crate::rewrite::ModelDraft;
use crate::scratch::ScratchFile;
use crate::synth::DEFAULT_RECIPE;

/// A mutant of the forward pass.
#[derive(Debug, Clone, Copy)]
pub struct ModelMutant {
    /// Stable name.
    pub name: &'static str,
    /// Description of the bug.
    pub description: &'static str,
    /// Recipe of a model that shows the mutant.
    pub recipe: &'static str,
    /// Name of the first node that differs.
    pub node: &'static str,
    /// Occurrence of this name in the first batch of the prefill.
    pub occurrence: usize,
    /// The operation that computes it.
    pub op: &'static str,
    /// The factor by which all of the node is too large, if nothing else is wrong with it.
    pub scale_ratio: Option<f64>,
    /// The change of the forward pass.
    pub change: Change,
}

/// The replacement of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// New type.
    pub ggml_type: GgmlType,
    /// New bytes, whose size must fit the unchanged dimensions.
    pub data: Vec<u8>,
}

/// The changed part of the forward pass: its configuration, its cache, or the tensors that it reads.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Changes the graph.
    Graph(fn(&mut Config)),
    /// Changes the element type of cached keys and values.
    Cache(Element),
    /// Replaces tensors of the file.
    Tensors(fn(&Gguf<'_>, &Tensor<'_>) -> Option<Replacement>),
}

/// The mutants in the order of the forward pass.
pub const MODEL_MUTANTS: &[ModelMutant] = &[
    ModelMutant {
        name: "activations-not-quantized",
        description: "weights are unpacked and multiplied with unquantized activations, which is more exact but another model",
        recipe: DEFAULT_RECIPE,
        node: "Qcur-0",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: None,
        change: Change::Tensors(unpacked),
    },
    ModelMutant {
        name: "rope-of-the-wrong-kind",
        description: "rotary embedding pairs adjacent elements instead of the halves of a head, or the reverse",
        recipe: DEFAULT_RECIPE,
        node: "Qcur-0",
        occurrence: 1,
        op: "ROPE",
        scale_ratio: None,
        change: Change::Graph(|config| {
            config.rope.pairing = match config.rope.pairing {
                Pairing::Adjacent => Pairing::Halves,
                Pairing::Halves => Pairing::Adjacent,
            };
        }),
    },
    ModelMutant {
        name: "kv-cache-f32",
        description: "keys and values are kept as f32; the reference rounds them and the other operand to f16",
        recipe: DEFAULT_RECIPE,
        node: "kq-0",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: None,
        change: Change::Cache(Element::F32),
    },
    ModelMutant {
        name: "sub-norm-skipped",
        description: "a loader for llama ignores the sub-norms",
        recipe: DEFAULT_RECIPE,
        node: "norm-0",
        occurrence: 1,
        op: "RMS_NORM",
        scale_ratio: None,
        change: Change::Graph(|config| config.sub_norms = false),
    },
    ModelMutant {
        name: "silu-for-relu-squared",
        description: "a loader uses the gate of the older BitNet family, which has the same tensors",
        recipe: "tiny-bitnet-b1.58-i2_s",
        node: "ffn_relu-0",
        occurrence: 0,
        op: "RELU",
        scale_ratio: None,
        change: Change::Graph(|config| config.gate = Gate::Silu),
    },
    ModelMutant {
        name: "scale-of-one-layer-doubled",
        description: "one matrix among many has a wrong scale",
        recipe: DEFAULT_RECIPE,
        node: "attn_o_out-1",
        occurrence: 0,
        op: "MUL_MAT",
        scale_ratio: Some(2.0),
        change: Change::Tensors(doubled),
    },
];

impl ModelMutant {
    /// Id of the candidate.
    pub fn id(&self) -> String {
        format!("{}.mutant.{}", Forward::ID, self.name)
    }

    /// The fault that the diagnosis must find.
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

    /// The mutant as a candidate.
    pub fn engine(&self) -> Box<dyn Engine> {
        let right: fn(&mut Config) = |_| {};
        match self.change {
            Change::Graph(change) => Box::new(Forward::changed(&self.id(), change, Element::F16)),
            Change::Cache(kv) => Box::new(Forward::changed(&self.id(), right, kv)),
            Change::Tensors(change) => Box::new(OtherTensors {
                forward: Forward::changed(&self.id(), right, Element::F16),
                change,
            }),
        }
    }
}

/// The forward pass on a copy of the model with replaced tensors.
struct OtherTensors {
    forward: Forward,
    change: fn(&Gguf<'_>, &Tensor<'_>) -> Option<Replacement>,
}

impl OtherTensors {
    fn copy(&self, path: &Path) -> Result<ScratchFile, InferenceError> {
        let refused = |reason: String| InferenceError::Refused {
            implementation: self.forward.id().into(),
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

/// The weights of a ternary tensor.
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

/// Replaces the weights by f32, so that f32 is multiplied.
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

/// Replaces the output matrix of attention in layer 1 by one with a doubled scale.
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
