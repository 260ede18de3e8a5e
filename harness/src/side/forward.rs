//! The forward pass in Rust.

use std::path::Path;

use qk256::dense::Element;
use qk256::kernel::Kernel;
use qk256::model::{
    Config, Context, ContextParams, LoadParams, Model, ModelError, NoTrace, Node, Trace,
};

use super::reference_layout;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams, TracedNode};
use crate::mapped;

/// The forward pass of `qk256`, as it is or with something changed.
#[derive(Debug, Clone)]
pub struct Forward {
    id: String,
    kernels: Vec<&'static Kernel>,
    change: fn(&mut Config),
    kv: Element,
}

impl Forward {
    /// Id of the forward pass as it is, and the name of its backend on command lines.
    pub const ID: &str = "rust";

    /// The id of the oracle whose results it has to the bit, where that was compiled for [`Forward::FEATURE`].
    pub const FOLLOWS: &str = "bitnet.cpp/strict";

    /// The CPU feature whose arithmetic it follows, on whatever CPU it runs.
    pub const FEATURE: &str = "avx2";

    /// The forward pass as it is. It multiplies with the fastest of `kernels`, or of all if there are none.
    pub fn new(kernels: Vec<&'static Kernel>) -> Forward {
        Forward {
            id: Forward::ID.into(),
            kernels,
            change: |_| {},
            kv: Element::F16,
        }
    }

    /// A forward pass that does something else than the file says, under another id.
    pub fn changed(id: &str, change: fn(&mut Config), kv: Element) -> Forward {
        Forward {
            id: id.into(),
            change,
            kv,
            ..Forward::new(Vec::new())
        }
    }

    /// What is missing for the model, or what it does not survive.
    fn refused(&self, error: &ModelError) -> InferenceError {
        let (side, reason) = (self.id.clone(), error.to_string());
        match error {
            ModelError::Architecture { .. }
            | ModelError::NoKernel { .. }
            | ModelError::Split { .. } => InferenceError::Unsupported { side, reason },
            _ => InferenceError::Refused { side, reason },
        }
    }
}

impl Engine for Forward {
    fn id(&self) -> &str {
        &self.id
    }

    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        let refused = |error: ModelError| self.refused(&error);
        let file = match mapped::opened(path) {
            Some(file) => file,
            None => mapped::open(path).map_err(|error| refused(error.into()))?,
        };
        let gguf = file.view();
        let names = |key| gguf.get(key).is_some();
        if !names("general.architecture") && !names("split.count") {
            return Err(InferenceError::Unsupported {
                side: self.id.clone(),
                reason: "the file names no general.architecture: it holds tensors, but no model"
                    .into(),
            });
        }
        let mut config = Config::read(&gguf).map_err(refused)?;
        (self.change)(&mut config);
        let load = LoadParams {
            layout: reference_layout(),
            kernels: &self.kernels,
        };
        let model = Model::with_config(&gguf, config, &load).map_err(refused)?;
        let params = ContextParams {
            n_ctx: params.n_ctx,
            n_ubatch: params.n_ubatch,
            threads: params.threads,
            kv: self.kv,
        };
        let context = Context::new(&model, params).map_err(refused)?;
        work(&mut Run {
            forward: self,
            vocabulary: model.vocabulary(),
            context,
        });
        Ok(())
    }
}

/// An open model.
struct Run<'m> {
    forward: &'m Forward,
    vocabulary: usize,
    context: Context<'m>,
}

impl Inference for Run<'_> {
    fn id(&self) -> &str {
        &self.forward.id
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn graph(&self) -> &str {
        "qk256"
    }

    fn decode(
        &mut self,
        tokens: &[u32],
        sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError> {
        let decoded = match sink {
            None => self.context.decode(tokens, &mut NoTrace),
            Some(sink) => self.context.decode(tokens, &mut Sink(sink)),
        };
        decoded.map_err(|error| self.forward.refused(&error))
    }

    fn tokenize(&mut self, _text: &str) -> Result<Vec<u32>, InferenceError> {
        Err(InferenceError::Unsupported {
            side: self.forward.id.clone(),
            reason: "has no tokenizer: give token ids instead".into(),
        })
    }
}

/// Hands nodes on as reports see them.
struct Sink<'s>(&'s mut dyn FnMut(TracedNode));

impl Trace for Sink<'_> {
    fn node(&mut self, node: Node<'_>) {
        let [first, second, third] = node.ne;
        (self.0)(TracedNode {
            name: node.name.to_owned(),
            occurrence: node.occurrence,
            op: None,
            inputs: Vec::new(),
            ne: [first, second, third, 1],
            values: node.values.to_vec(),
        });
    }
}
