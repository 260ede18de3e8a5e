//! The configuration of a model, read from the metadata of a file.
//!
//! Keys and defaults are those of `llm_load_hparams` in `llama.cpp` of `bitnet-cpp-sys` 0.0.5.

use super::error::ModelError;
use super::rope::{Pairing, Rope};
use crate::gguf::{FromValue, Gguf, Value};

/// A model architecture. It determines the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// 1bitLLM's BitNet: sub-norms, SiLU.
    Bitnet,
    /// Microsoft's BitNet b1.58: sub-norms, relu squared.
    BitnetB158,
    /// The older name of the same architecture.
    Bitnet25,
    /// Llama.
    Llama,
    /// Qwen2: Llama with biases of queries, keys and values, and NeoX rotation.
    Qwen2,
}

/// The activation function of the gate in the feed-forward network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// `x / (1 + e^-x)`
    Silu,
    /// `max(x, 0)^2`
    ReluSquared,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Architecture; 5] = [
        Architecture::Bitnet,
        Architecture::BitnetB158,
        Architecture::Bitnet25,
        Architecture::Llama,
        Architecture::Qwen2,
    ];

    /// The value of `general.architecture`. It is also the prefix of the metadata keys.
    pub const fn name(self) -> &'static str {
        match self {
            Architecture::Bitnet => "bitnet",
            Architecture::BitnetB158 => "bitnet-b1.58",
            Architecture::Bitnet25 => "bitnet-25",
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
        }
    }

    /// Whether attention and feed-forward network have a norm before their last matrix.
    pub const fn has_sub_norms(self) -> bool {
        self.is_bitnet()
    }

    /// Whether the architecture is one of BitNet's. Others can have an output matrix of their own, biases of queries,
    /// keys and values, and divisors of rotary angles.
    pub const fn is_bitnet(self) -> bool {
        !matches!(self, Architecture::Llama | Architecture::Qwen2)
    }

    /// The activation function of the gate.
    pub const fn gate(self) -> Gate {
        match self {
            Architecture::BitnetB158 | Architecture::Bitnet25 => Gate::ReluSquared,
            Architecture::Bitnet | Architecture::Llama | Architecture::Qwen2 => Gate::Silu,
        }
    }

    const fn pairing(self) -> Pairing {
        match self {
            Architecture::Llama => Pairing::Adjacent,
            _ => Pairing::Halves,
        }
    }
}

/// Sizes and constants of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Architecture.
    pub architecture: Architecture,
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub embedding: usize,
    /// Width of the feed-forward network.
    pub feed_forward: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Number of heads of keys and values. `heads / kv_heads` attention heads share one.
    pub kv_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// Epsilon of the RMS norms. It is added to the mean square.
    pub rms_epsilon: f32,
    /// Rotary position embedding.
    pub rope: Rope,
    /// Activation function of the gate.
    pub gate: Gate,
    /// Whether the sub-norms are applied, if the architecture has them.
    pub sub_norms: bool,
}

impl Config {
    /// Reads the metadata.
    ///
    /// # Errors
    ///
    /// [`ModelError::Split`] for a part of a split file, [`ModelError::Architecture`] for an unsupported architecture,
    /// [`ModelError::Gguf`] for a missing key, [`ModelError::Metadata`] for an invalid value.
    pub fn read(gguf: &Gguf<'_>) -> Result<Config, ModelError> {
        require_whole(gguf)?;
        let name = gguf.str("general.architecture")?;
        let architecture = Architecture::ALL
            .into_iter()
            .find(|known| known.name() == name);
        let architecture = architecture.ok_or_else(|| ModelError::Architecture {
            found: name.to_owned(),
            known: Architecture::ALL.map(Architecture::name).join(", "),
        })?;
        let keys = Keys { gguf, prefix: name };

        let embedding = keys.size("embedding_length")?;
        let heads = keys.size("attention.head_count")?;
        let kv_heads = keys.size_or("attention.head_count_kv", heads)?;
        if !heads.is_multiple_of(kv_heads) {
            let wanted = format!("must divide the {heads} heads");
            return Err(keys.wrong("attention.head_count_kv", kv_heads, &wanted));
        }
        if !embedding.is_multiple_of(heads) {
            let wanted = format!("must divide the width {embedding}");
            return Err(keys.wrong("attention.head_count", heads, &wanted));
        }
        let head = keys.size_or("attention.key_length", embedding / heads)?;
        let value = keys.size_or("attention.value_length", embedding / heads)?;
        if value != head {
            let wanted = format!("must be {head}, the length of keys");
            return Err(keys.wrong("attention.value_length", value, &wanted));
        }
        let rms_epsilon: f32 = keys.required("attention.layer_norm_rms_epsilon")?;
        if rms_epsilon.is_nan() || rms_epsilon <= 0.0 {
            return Err(keys.wrong(
                "attention.layer_norm_rms_epsilon",
                rms_epsilon,
                "must be positive",
            ));
        }
        let experts: Option<u32> = keys.optional("expert_count")?;
        if let Some(experts @ 1..) = experts {
            return Err(keys.wrong("expert_count", experts, "experts are not supported"));
        }
        Ok(Config {
            architecture,
            layers: keys.size("block_count")?,
            embedding,
            feed_forward: keys.size("feed_forward_length")?,
            heads,
            kv_heads,
            head,
            rms_epsilon,
            rope: rope(&keys, architecture, head)?,
            gate: architecture.gate(),
            sub_norms: architecture.has_sub_norms(),
        })
    }

    /// Width of the keys, and of the values, of one position.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head
    }
}

/// An error for a part of a split file.
///
/// `llama-gguf-split` writes `split.no`, counted from 0, and `split.count` to each part. Only the first part has the
/// keys of the architecture.
fn require_whole(gguf: &Gguf<'_>) -> Result<(), ModelError> {
    let number = |key| match gguf.get(key) {
        Some(Value::U16(n)) => Some(u64::from(n)),
        Some(Value::U32(n)) => Some(u64::from(n)),
        Some(Value::I32(n)) => u64::try_from(n).ok(),
        Some(Value::U64(n)) => Some(n),
        _ => None,
    };
    match number("split.count") {
        Some(parts @ 2..) => Err(ModelError::Split {
            part: number("split.no").unwrap_or(0).saturating_add(1),
            parts,
        }),
        _ => Ok(()),
    }
}

fn rope(keys: &Keys<'_>, architecture: Architecture, head: usize) -> Result<Rope, ModelError> {
    const DIMENSIONS: &str = "rope.dimension_count";
    const SCALING: &str = "rope.scaling.type";
    let dimensions = keys.size_or(DIMENSIONS, head)?;
    let whole = !architecture.is_bitnet();
    if dimensions > head || dimensions % 2 != 0 || (whole && dimensions != head) {
        let most = if whole { "" } else { " or less" };
        let wanted = format!("must be even and the width of a head, {head}{most}");
        return Err(keys.wrong(DIMENSIONS, dimensions, &wanted));
    }
    let scaling: &str = keys.optional(SCALING)?.unwrap_or("linear");
    let factor: Option<f32> = match keys.optional("rope.scaling.factor")? {
        None => keys.optional("rope.scale_linear")?,
        factor => factor,
    };
    let frequency_scale = match (scaling, factor) {
        ("none", _) | ("linear", None | Some(0.0)) => 1.0,
        ("linear", Some(factor)) => 1.0 / factor,
        (other, _) => return Err(keys.wrong(SCALING, other, "only none and linear are supported")),
    };
    Ok(Rope {
        pairing: architecture.pairing(),
        dimensions,
        base: keys.optional("rope.freq_base")?.unwrap_or(10_000.0),
        frequency_scale,
        magnitude: keys.optional("rope.scaling.attn_factor")?.unwrap_or(1.0),
    })
}

/// The metadata of one architecture.
struct Keys<'a> {
    gguf: &'a Gguf<'a>,
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn required<T: FromValue<'a>>(&self, name: &str) -> Result<T, ModelError> {
        Ok(self.gguf.value(&self.key(name))?)
    }

    fn optional<T: FromValue<'a>>(&self, name: &str) -> Result<Option<T>, ModelError> {
        Ok(self.gguf.optional(&self.key(name))?)
    }

    fn size(&self, name: &str) -> Result<usize, ModelError> {
        self.positive(name, self.required(name)?)
    }

    fn size_or(&self, name: &str, default: usize) -> Result<usize, ModelError> {
        match self.optional(name)? {
            Some(found) => self.positive(name, found),
            None => Ok(default),
        }
    }

    /// A size between 1 and 2^31 - 1, as in the reference. The product of two sizes fits in 64 bits.
    fn positive(&self, name: &str, found: u32) -> Result<usize, ModelError> {
        if (1..=i32::MAX as u32).contains(&found) {
            Ok(found as usize)
        } else {
            Err(self.wrong(name, found, "must be between 1 and 2^31 - 1"))
        }
    }

    fn wrong(&self, name: &str, found: impl ToString, wanted: &str) -> ModelError {
        ModelError::Metadata {
            key: self.key(name),
            found: found.to_string(),
            wanted: wanted.to_owned(),
        }
    }
}
