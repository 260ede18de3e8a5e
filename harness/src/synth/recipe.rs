//! The contents of a recipe. Unknown fields are refused.

use std::collections::BTreeMap;

use qk256::gguf::{Block, GgmlType};
use serde::Deserialize;

use super::error::SynthError;

/// A recipe of a synthetic model, read from a TOML file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Path of the recipe file, for messages and for the model's name.
    #[serde(skip)]
    pub origin: String,
    /// `general.architecture`.
    pub architecture: Architecture,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Base of the rotary position embedding's frequencies.
    pub rope_base: f32,
    /// Number that RMS norms add to the mean square.
    pub rms_epsilon: f32,
    /// Sizes.
    pub sizes: Sizes,
    /// The token embedding. It is also the output matrix if there is no `output`.
    pub embedding: Dense,
    /// Divisors of the rotary angles, one for each pair of a head's elements. Only `llama` can have them.
    pub rope_factors: Option<ScaleRange>,
    /// A separate output matrix. Only `llama` can have one.
    pub output: Option<Dense>,
    /// The weights of all norms, always f32.
    pub norms: Bell,
    /// The ternary matrices of all layers. A recipe has either these or `dense`.
    pub weights: Option<Ternary>,
    /// The matrices of all layers, if they are not ternary.
    pub dense: Option<Dense>,
    /// Changes for some of the matrices, such as `[override.ffn_down]`.
    #[serde(default, rename = "override")]
    pub overrides: BTreeMap<Matrix, Override>,
}

/// The architecture of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Architecture {
    /// `bitnet`: norms inside attention and feed-forward, SiLU.
    #[serde(rename = "bitnet")]
    Bitnet,
    /// `bitnet-b1.58`: the same tensors, squared ReLU.
    #[serde(rename = "bitnet-b1.58")]
    BitnetB158,
    /// `llama`.
    #[serde(rename = "llama")]
    Llama,
}

/// The sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Width of the residual stream: columns of the embedding.
    pub embedding: u32,
    /// Width inside the feed-forward part.
    pub feed_forward: u32,
    /// Number of layers.
    pub layers: u32,
    /// Number of attention heads, which divide the embedding's width evenly.
    pub heads: u32,
    /// Number of heads of keys and values. Fewer than `heads` is grouped-query attention.
    pub kv_heads: u32,
    /// Number of tokens, which is the number of rows of the embedding.
    pub vocabulary: u32,
    /// Context length in positions, as written in the metadata.
    pub context: u32,
}

impl Sizes {
    /// Number of elements of one head. Rounded down if heads do not divide the width, which validation refuses.
    pub const fn head(&self) -> u32 {
        match self.heads {
            0 => 0,
            heads => self.embedding / heads,
        }
    }
}

/// A bell-shaped distribution: the sum of four uniform numbers, within 3.47 deviations of its mean.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bell {
    /// Mean.
    pub mean: f32,
    /// Standard deviation.
    pub spread: f32,
}

/// A matrix that is not ternary.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// Element type.
    #[serde(rename = "type")]
    pub element: DenseType,
    /// Standard deviation of the elements around zero.
    pub spread: f32,
}

/// Element type of a matrix that is not ternary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenseType {
    /// Half precision.
    F16,
    /// Single precision.
    F32,
    /// 6-bit codes in blocks of 256.
    #[serde(rename = "q6_k")]
    Q6K,
}

/// Format and distribution of ternary matrices.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ternary {
    /// Format id, such as `i2_s.group128`.
    pub format: String,
    /// Relative frequencies of codes 0, 1, 2 and 3: `[3, 4, 3, 0]` is 40 % zeros for the ternary codebook, and with
    /// `[0, 0, 1, 0]` all weights are +1. Quantizers never write code 3. The sum is at most 65,536.
    pub code_shares: [u32; 4],
    /// Range of the scales.
    pub scale: ScaleRange,
    /// The weights that share a scale.
    #[serde(default)]
    pub scale_sharing: ScaleSharing,
    /// Range of the companion tensor `.scale` with one f32, which is added to each matrix and which the `bitnet` graphs
    /// multiply by.
    pub scale_tensors: Option<ScaleRange>,
}

/// Changes for one kind of matrix. Other fields are those of `[weights]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Replaces [`Ternary::format`].
    pub format: Option<String>,
    /// Replaces [`Ternary::code_shares`].
    pub code_shares: Option<[u32; 4]>,
    /// Replaces [`Ternary::scale`].
    pub scale: Option<ScaleRange>,
    /// Replaces [`Ternary::scale_sharing`].
    pub scale_sharing: Option<ScaleSharing>,
}

/// The least and the greatest scale. Every octave between them is equally likely, with a uniform distribution inside.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(expecting = "two numbers, the least and the greatest scale")]
pub struct ScaleRange(pub f32, pub f32);

/// The weights that share a scale in formats with block scales. Other formats have one scale for the tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleSharing {
    /// All blocks of a tensor have the same scale, as in models that were trained with one scale.
    #[default]
    Tensor,
    /// Each block has its own scale.
    Block,
}

/// A kind of ternary matrix. Every layer has one of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the tensor of the same name")]
pub enum Matrix {
    AttnQ,
    AttnK,
    AttnV,
    AttnOutput,
    FfnGate,
    FfnUp,
    FfnDown,
}

impl Recipe {
    /// Parses a recipe. `origin` is the path of its file.
    ///
    /// # Errors
    ///
    /// [`SynthError::Syntax`] with line and column if `text` is no TOML, or a field is unknown, missing or of another
    /// type. [`Plan::new`](super::Plan::new) checks the values.
    pub fn parse(origin: &str, text: &str) -> Result<Recipe, SynthError> {
        let recipe: Recipe =
            toml::from_str(text).map_err(|error| SynthError::syntax(origin, text, &error))?;
        Ok(Recipe {
            origin: origin.to_owned(),
            ..recipe
        })
    }

    /// The model's name: the file name without its extension.
    pub fn name(&self) -> &str {
        let file = self.origin.rsplit(['/', '\\']).next().unwrap_or_default();
        file.strip_suffix(".toml").unwrap_or(file)
    }

    /// Format and distribution of one kind of matrix; none if the matrices are not ternary.
    pub fn ternary(&self, matrix: Matrix) -> Option<Ternary> {
        let base = self.weights.clone()?;
        let other = self.overrides.get(&matrix).cloned().unwrap_or_default();
        Some(Ternary {
            format: other.format.unwrap_or(base.format),
            code_shares: other.code_shares.unwrap_or(base.code_shares),
            scale: other.scale.unwrap_or(base.scale),
            scale_sharing: other.scale_sharing.unwrap_or(base.scale_sharing),
            scale_tensors: base.scale_tensors,
        })
    }
}

impl Architecture {
    /// Value of `general.architecture`, and prefix of the model's metadata keys.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::Bitnet => "bitnet",
            Architecture::BitnetB158 => "bitnet-b1.58",
            Architecture::Llama => "llama",
        }
    }

    /// Whether the graph is one of the `bitnet` family, which has norms inside attention and feed-forward, supports
    /// `.scale` tensors, and always uses the embedding as the output matrix.
    pub const fn is_bitnet(self) -> bool {
        matches!(self, Architecture::Bitnet | Architecture::BitnetB158)
    }
}

impl DenseType {
    /// Type id in a GGUF file.
    pub const fn ggml_type(self) -> GgmlType {
        match self {
            DenseType::F16 => GgmlType::F16,
            DenseType::F32 => GgmlType::F32,
            DenseType::Q6K => GgmlType::Q6_K,
        }
    }

    /// The unit in which a row is stored.
    pub const fn block(self) -> Block {
        match self.ggml_type().block() {
            Some(block) => block,
            None => panic!("a type without a block is not dense"),
        }
    }
}

impl Matrix {
    /// All kinds in file order.
    pub const ALL: [Matrix; 7] = [
        Matrix::AttnQ,
        Matrix::AttnK,
        Matrix::AttnV,
        Matrix::AttnOutput,
        Matrix::FfnGate,
        Matrix::FfnUp,
        Matrix::FfnDown,
    ];

    /// Part of a tensor's name: `blk.0.NAME.weight`.
    pub const fn name(self) -> &'static str {
        match self {
            Matrix::AttnQ => "attn_q",
            Matrix::AttnK => "attn_k",
            Matrix::AttnV => "attn_v",
            Matrix::AttnOutput => "attn_output",
            Matrix::FfnGate => "ffn_gate",
            Matrix::FfnUp => "ffn_up",
            Matrix::FfnDown => "ffn_down",
        }
    }

    /// Rows and columns in a model of these sizes.
    pub const fn shape(self, sizes: &Sizes) -> (usize, usize) {
        let width = sizes.embedding as usize;
        let inner = sizes.feed_forward as usize;
        match self {
            Matrix::AttnQ | Matrix::AttnOutput => (width, width),
            Matrix::AttnK | Matrix::AttnV => {
                (sizes.head() as usize * sizes.kv_heads as usize, width)
            }
            Matrix::FfnGate | Matrix::FfnUp => (inner, width),
            Matrix::FfnDown => (width, inner),
        }
    }
}
