//! The tensors of a model. They are found by name and checked against the metadata before anything is computed.
//!
//! Names and shapes are those of `llm_load_tensors` in `llama.cpp` of `bitnet-cpp-sys` 0.0.5.

use std::collections::HashSet;

use super::config::{Architecture, Config};
use super::error::ModelError;
use super::linear::{Linear, Matrix};
use crate::dense::Dense;
use crate::format::{FORMATS, Format, Layout, RawTensor, Weights};
use crate::gguf::{GgmlType, Gguf, Tensor};
use crate::kernel::{self, Kernel, Vintage};

/// The parameters of loading a model.
#[derive(Debug, Clone, Copy)]
pub struct LoadParams<'p> {
    /// Layout of the codes of I2_S tensors, which files do not record.
    pub layout: Layout,
    /// The allowed kernels. The fastest one is used for each format. If empty, [`kernel::best`] selects the kernel.
    pub kernels: &'p [&'static Kernel],
    /// The arithmetic of block formats of 256 weights.
    pub vintage: Vintage,
}

impl Default for LoadParams<'_> {
    /// The layout of bitnet.cpp on x86-64, and the fastest kernels that this CPU can run.
    fn default() -> Self {
        LoadParams {
            layout: Layout::Group128,
            kernels: &[],
            vintage: Vintage::default(),
        }
    }
}

impl LoadParams<'_> {
    fn kernel(&self, format: &Format) -> Option<&'static Kernel> {
        if self.kernels.is_empty() {
            return Some(kernel::best(format));
        }
        let fit = |kernel: &&&Kernel| kernel.format() == format && kernel.availability().is_ok();
        self.kernels
            .iter()
            .filter(fit)
            .max_by_key(|kernel| kernel.isa())
            .copied()
    }
}

/// Tensors of one layer.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    pub(super) attn_norm: Vec<f32>,
    pub(super) query: Linear<'a>,
    pub(super) key: Linear<'a>,
    pub(super) value: Linear<'a>,
    pub(super) attn_sub_norm: Option<Vec<f32>>,
    pub(super) attn_output: Linear<'a>,
    pub(super) ffn_norm: Vec<f32>,
    pub(super) gate: Linear<'a>,
    pub(super) up: Linear<'a>,
    pub(super) ffn_sub_norm: Option<Vec<f32>>,
    pub(super) down: Linear<'a>,
}

impl<'a> Layer<'a> {
    /// The matrices of the layer.
    pub(super) fn linears(&self) -> [&Linear<'a>; 7] {
        let (attention, query) = (&self.attn_output, &self.query);
        [
            query,
            &self.key,
            &self.value,
            attention,
            &self.gate,
            &self.up,
            &self.down,
        ]
    }
}

/// All tensors.
#[derive(Debug)]
pub(super) struct Tensors<'a> {
    pub(super) embedding: Dense<'a>,
    pub(super) layers: Vec<Layer<'a>>,
    pub(super) output_norm: Vec<f32>,
    pub(super) output: Linear<'a>,
    /// Divisors of the rotary angles, if the file has them.
    pub(super) rope_factors: Option<Vec<f32>>,
}

impl<'a> Tensors<'a> {
    pub(super) fn load(
        gguf: &Gguf<'a>,
        config: &Config,
        params: &LoadParams<'_>,
    ) -> Result<Tensors<'a>, ModelError> {
        let mut loader = Loader {
            gguf,
            config,
            params,
            used: HashSet::new(),
        };
        let tensors = loader.tensors()?;
        loader.refuse_unused()?;
        Ok(tensors)
    }
}

struct Loader<'l, 'a> {
    gguf: &'l Gguf<'a>,
    config: &'l Config,
    params: &'l LoadParams<'l>,
    used: HashSet<&'a str>,
}

impl<'a> Loader<'_, 'a> {
    fn tensors(&mut self) -> Result<Tensors<'a>, ModelError> {
        const EMBEDDING: &str = "token_embd.weight";
        const OUTPUT: &str = "output.weight";
        const ROPE_FACTORS: &str = "rope_freqs.weight";
        let config = self.config;
        let bitnet = config.architecture.is_bitnet();

        let table = self.take(EMBEDDING)?;
        let shape = [config.embedding, self.vocabulary(&table)?];
        expect_dims(&table, &shape)?;
        let embedding = dense(&table)?.of_vintage(self.params.vintage);
        let output = if !bitnet && self.gguf.find_tensor(OUTPUT).is_some() {
            self.linear(OUTPUT, shape)?
        } else {
            Linear::new(EMBEDDING.to_owned(), Matrix::Dense(embedding), None)
        };
        let rope_factors = if config.architecture == Architecture::Llama
            && self.gguf.find_tensor(ROPE_FACTORS).is_some()
        {
            Some(self.vector(ROPE_FACTORS, config.rope.dimensions / 2)?)
        } else {
            None
        };
        let output_norm = self.vector("output_norm.weight", config.embedding)?;
        let layers = (0..config.layers)
            .map(|layer| self.layer(layer))
            .collect::<Result<_, _>>()?;
        Ok(Tensors {
            embedding,
            layers,
            output_norm,
            output,
            rope_factors,
        })
    }

    fn layer(&mut self, layer: usize) -> Result<Layer<'a>, ModelError> {
        let config = self.config;
        let (width, inner) = (config.embedding, config.feed_forward);
        let (queries, keys) = (config.heads * config.head, config.kv_width());
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let sub_norms = config.architecture.has_sub_norms();
        Ok(Layer {
            attn_norm: self.vector(&name("attn_norm"), width)?,
            query: self.biased(&name("attn_q"), [width, queries])?,
            key: self.biased(&name("attn_k"), [width, keys])?,
            value: self.biased(&name("attn_v"), [width, keys])?,
            attn_sub_norm: match sub_norms {
                true => Some(self.vector(&name("attn_sub_norm"), queries)?),
                false => None,
            },
            attn_output: self.linear(&name("attn_output"), [queries, width])?,
            ffn_norm: self.vector(&name("ffn_norm"), width)?,
            gate: self.linear(&name("ffn_gate"), [width, inner])?,
            up: self.linear(&name("ffn_up"), [width, inner])?,
            ffn_sub_norm: match sub_norms {
                true => Some(self.vector(&name("ffn_sub_norm"), inner)?),
                false => None,
            },
            down: self.linear(&name("ffn_down"), [inner, width])?,
        })
    }

    fn take(&mut self, name: &str) -> Result<Tensor<'a>, ModelError> {
        let tensor = self.gguf.tensor(name)?;
        self.used.insert(tensor.name());
        Ok(tensor)
    }

    /// The size of the vocabulary: the value in the metadata or, if it is missing, the number of rows of the embedding.
    fn vocabulary(&self, embedding: &Tensor<'_>) -> Result<usize, ModelError> {
        let key = format!("{}.vocab_size", self.config.architecture.name());
        let declared: Option<u32> = self.gguf.optional(&key)?;
        Ok(declared.map_or(embedding.rows(), |declared| declared as usize))
    }

    /// A copy of a vector of f32. Norms are small, and they may be misaligned in the file.
    fn vector(&mut self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let tensor = self.take(name)?;
        expect_dims(&tensor, &[len])?;
        if tensor.ggml_type() != GgmlType::F32 {
            return Err(wrong_type(&tensor, "f32"));
        }
        let mut values = vec![0.0; len];
        dense(&tensor)?.read_row(0, &mut values);
        Ok(values)
    }

    /// A linear layer that can have a bias, such as `blk.0.attn_q.bias` for `blk.0.attn_q.weight`.
    fn biased(&mut self, name: &str, dims: [usize; 2]) -> Result<Linear<'a>, ModelError> {
        let linear = self.linear(name, dims)?;
        match self
            .companion(name, "bias")
            .filter(|_| !self.config.architecture.is_bitnet())
        {
            Some(bias) => Ok(linear.with_bias(self.vector(&bias, dims[1])?)),
            None => Ok(linear),
        }
    }

    /// The name of a tensor beside `NAME.weight`, such as `NAME.bias`, if the file has it.
    fn companion(&self, name: &str, part: &str) -> Option<String> {
        let stem = name.strip_suffix(".weight").unwrap_or(name);
        let name = format!("{stem}.{part}");
        self.gguf.find_tensor(&name).map(|_| name)
    }

    fn linear(&mut self, name: &str, dims: [usize; 2]) -> Result<Linear<'a>, ModelError> {
        let tensor = self.take(name)?;
        expect_dims(&tensor, &dims)?;
        let companion = self.companion_scale(name)?;
        let ternary = FORMATS
            .iter()
            .any(|format| format.ggml_type == tensor.ggml_type());
        if !ternary {
            let scale = companion
                .as_ref()
                .map(|scale| self.one(scale))
                .transpose()?;
            return Ok(Linear::new(
                name.to_owned(),
                Matrix::Dense(dense(&tensor)?.of_vintage(self.params.vintage)),
                scale,
            ));
        }
        let (layout, alignment) = (self.params.layout, self.gguf.alignment());
        let weights =
            Weights::from_tensor(raw(&tensor), layout, alignment, companion.as_ref().map(raw))
                .map_err(|source| ModelError::Ternary {
                    tensor: name.to_owned(),
                    source,
                })?;
        let kernel = self
            .params
            .kernel(weights.format())
            .ok_or_else(|| ModelError::NoKernel {
                tensor: name.to_owned(),
                format: weights.format().id,
            })?;
        // If the tensor contains its scale, that of the companion tensor is an additional factor.
        let inside = weights.storage().scale_offset().is_some();
        let scale = match companion {
            Some(scale) if inside => Some(self.one(&scale)?),
            _ => None,
        };
        Ok(Linear::new(
            name.to_owned(),
            Matrix::Ternary(weights, kernel),
            scale,
        ))
    }

    /// The companion tensor of `name`, if any, such as `blk.0.attn_q.scale` for `blk.0.attn_q.weight`.
    fn companion_scale(&mut self, name: &str) -> Result<Option<Tensor<'a>>, ModelError> {
        self.companion(name, "scale")
            .filter(|_| self.config.architecture.is_bitnet())
            .map(|name| self.take(&name))
            .transpose()
    }

    /// The value of a scale tensor of one f32.
    fn one(&self, tensor: &Tensor<'a>) -> Result<f32, ModelError> {
        expect_dims(tensor, &[1])?;
        if tensor.ggml_type() != GgmlType::F32 {
            return Err(wrong_type(tensor, "f32"));
        }
        let mut value = [0.0];
        dense(tensor)?.read_row(0, &mut value);
        Ok(value[0])
    }

    fn refuse_unused(&self) -> Result<(), ModelError> {
        match self
            .gguf
            .tensors()
            .find(|tensor| !self.used.contains(tensor.name()))
        {
            None => Ok(()),
            Some(tensor) => Err(ModelError::Unused {
                tensor: tensor.name().to_owned(),
                architecture: self.config.architecture.name(),
            }),
        }
    }
}

fn dense<'a>(tensor: &Tensor<'a>) -> Result<Dense<'a>, ModelError> {
    Dense::from_tensor(tensor).map_err(|_| wrong_type(tensor, "of floats or a block format"))
}

fn wrong_type(tensor: &Tensor<'_>, wanted: &'static str) -> ModelError {
    ModelError::Type {
        tensor: tensor.name().to_owned(),
        found: tensor.ggml_type(),
        wanted,
    }
}

/// An error unless the tensor has these dimensions. Trailing ones are ignored.
fn expect_dims(tensor: &Tensor<'_>, wanted: &[usize]) -> Result<(), ModelError> {
    let (found, last) = (tensor.dims(), wanted.len().min(tensor.dims().len()));
    let rest_is_one = |dims: &[usize]| dims[last..].iter().all(|&dim| dim == 1);
    if found[..last] == wanted[..last] && rest_is_one(found) && rest_is_one(wanted) {
        return Ok(());
    }
    Err(ModelError::Shape {
        tensor: tensor.name().to_owned(),
        found: found.to_vec(),
        wanted: wanted.to_vec(),
    })
}

fn raw<'a>(tensor: &Tensor<'a>) -> RawTensor<'a> {
    RawTensor {
        ggml_type: tensor.ggml_type(),
        rows: tensor.rows(),
        cols: tensor.columns(),
        span: tensor.bytes(),
    }
}
