//! The forward pass in Rust as an engine.

use std::path::Path;

use qk256::dense::Element;
use qk256::format::block::BlockFormat;
use qk256::gguf::Tensor;
use qk256::kernel::{Kernel, Vintage};
use qk256::model::{Config, Context, ContextParams, LoadParams, ModelError, NoTrace, Node, Trace};

use super::reference_layout;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams, TracedNode};
use crate::mapped;
use crate::model::Model;

/// The upstream that multiplies as llama.cpp of 2024.
const OF_2024: &str = "bitnet.cpp";

/// The vintage of an upstream's arithmetic. That of an unknown one is taken to be today's.
pub fn vintage_of(upstream: Option<&str>) -> Vintage {
    match upstream {
        Some(OF_2024) => Vintage::Of2024,
        _ => Vintage::OfToday,
    }
}

/// The forward pass of `qk256`, unchanged or with a change.
#[derive(Debug, Clone)]
pub struct Forward {
    id: String,
    kernels: Vec<&'static Kernel>,
    change: fn(&mut Config),
    kv: Element,
    vintage: Vintage,
    /// Whether it is compared only with the upstreams of its vintage.
    selective: bool,
}

impl Forward {
    /// Id of the unchanged forward pass, which is also its backend name on the command line.
    pub const ID: &str = "rust";

    /// The CPU feature whose arithmetic the forward pass reproduces on every CPU: that of the identity builds compiled
    /// for it.
    pub const FEATURE: &str = "avx2";

    /// Creates the unchanged forward pass. It multiplies with the fastest of `kernels`, or of all kernels if `kernels`
    /// is empty.
    pub fn new(kernels: Vec<&'static Kernel>) -> Forward {
        Forward {
            id: Forward::ID.into(),
            kernels,
            change: |_| {},
            kv: Element::F16,
            vintage: Vintage::default(),
            selective: false,
        }
    }

    /// The forward passes that have the bits of all upstreams on a model: one, or two if it has tensors of block formats
    /// of 256 weights, whose products today's llama.cpp adds in another order than bitnet.cpp.
    pub fn of_model(kernels: &[&'static Kernel], model: &Model) -> Vec<Box<dyn Engine>> {
        let of = |vintage, selective| -> Box<dyn Engine> {
            Box::new(Forward {
                vintage,
                selective,
                ..Forward::new(kernels.to_vec())
            })
        };
        let differs =
            |tensor: Tensor<'_>| BlockFormat::of(tensor.ggml_type()).is_some_and(Vintage::changes);
        if model.gguf().tensors().any(differs) {
            let vintages = [Vintage::Of2024, Vintage::OfToday];
            vintages.map(|vintage| of(vintage, true)).into()
        } else {
            vec![of(Vintage::default(), false)]
        }
    }

    /// Creates a changed forward pass with another id.
    pub fn changed(id: &str, change: fn(&mut Config), kv: Element) -> Forward {
        Forward {
            id: id.into(),
            change,
            kv,
            ..Forward::new(Vec::new())
        }
    }

    /// Converts an error: unsupported models, and models that the forward pass refuses.
    fn refused(&self, error: &ModelError) -> InferenceError {
        let (implementation, reason) = (self.id.clone(), error.to_string());
        match error {
            ModelError::Architecture { .. }
            | ModelError::NoKernel { .. }
            | ModelError::Split { .. } => InferenceError::Unsupported {
                implementation,
                reason,
            },
            _ => InferenceError::Refused {
                implementation,
                reason,
            },
        }
    }
}

impl Engine for Forward {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_compared_with(&self, upstream: Option<&str>) -> bool {
        !self.selective || vintage_of(upstream) == self.vintage
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
                implementation: self.id.clone(),
                reason: "the file names no general.architecture: it holds tensors, but no model"
                    .into(),
            });
        }
        let mut config = Config::read(&gguf).map_err(refused)?;
        (self.change)(&mut config);
        let load = LoadParams {
            layout: reference_layout(),
            kernels: &self.kernels,
            vintage: self.vintage,
        };
        let model = qk256::model::Model::with_config(&gguf, config, &load).map_err(refused)?;
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
            implementation: self.forward.id.clone(),
            reason: "has no tokenizer: give token ids instead".into(),
        })
    }
}

/// Converts nodes and passes them to the sink.
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
