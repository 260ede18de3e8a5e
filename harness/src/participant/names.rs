//! Names of nodes in the graphs of other vintages.
//!
//! The forward pass in Rust names its nodes as bitnet.cpp's graph of 2024 does. Other upstreams have the same nodes
//! with other names. A rule depends on the operation and the architecture, not on the upstream, because a checkout can
//! be of any time.

/// A node that another vintage names differently.
struct Renamed {
    /// Name without the layer.
    name: &'static str,
    ops: &'static [&'static str],
    /// The architectures whose graphs have it; all if empty.
    architectures: &'static [&'static str],
    canonical: &'static str,
}

/// The last operation of a product with weights: the tensor may have a scale and a bias.
const PRODUCT: &[&str] = &["MUL_MAT", "MUL", "ADD"];

/// The architectures with the graph of `llama`, apart from biases and rotation.
const LLAMA_LIKE: &[&str] = &["llama", "qwen2"];

/// Today's llama.cpp.
const RENAMED: [Renamed; 6] = [
    Renamed {
        name: "embd",
        ops: &["GET_ROWS"],
        architectures: &[],
        canonical: "inp_embd",
    },
    Renamed {
        name: "kq_soft_max",
        ops: &["SOFT_MAX"],
        architectures: &[],
        canonical: "kq_soft_max_ext",
    },
    Renamed {
        name: "kqv_out",
        ops: &["CONT"],
        architectures: LLAMA_LIKE,
        canonical: "kqv_merged_cont",
    },
    Renamed {
        name: "attn_out",
        ops: PRODUCT,
        architectures: LLAMA_LIKE,
        canonical: "kqv_out",
    },
    Renamed {
        name: "attn_out",
        ops: PRODUCT,
        architectures: &["bitnet"],
        canonical: "attn_o_out",
    },
    Renamed {
        name: "ffn_swiglu",
        ops: &["SWIGLU"],
        architectures: LLAMA_LIKE,
        canonical: "ffn_gate_par",
    },
];

/// Nodes that a vintage computes only as a part of the next one: today's llama.cpp has one operation for the gate.
const FUSED: [&str; 1] = ["ffn_silu"];

/// Nodes with one element for each position of the cache in their first dimension. Vintages pad the number of positions
/// to different multiples; padded positions are masked.
const PADDED: [&str; 2] = ["kq", "kq_soft_max_ext"];

/// Prefix of ggml's names for unnamed tensors.
pub(super) const UNNAMED: &str = "node_";

/// The multiple in the forward pass in Rust.
const PADDING: usize = 32;

/// Splits a name such as `attn_norm-3` into `attn_norm` and layer 3.
pub(crate) fn kind_and_layer(name: &str) -> (&str, Option<usize>) {
    let layered = name.rsplit_once('-');
    match layered.and_then(|(kind, layer)| Some((kind, layer.parse().ok()?))) {
        Some((kind, layer)) => (kind, Some(layer)),
        None => (name, None),
    }
}

/// Whether a vintage may lack the nodes of this kind, because another node includes their operation.
pub(crate) fn is_fused(kind: &str) -> bool {
    FUSED.contains(&kind)
}

/// The name of a node in the forward pass in Rust, if it is another one. Today's graph of `qwen2` has no name for the
/// output of attention, which is the product with its matrix.
pub(super) fn canonical(
    architecture: &str,
    name: &str,
    op: &str,
    inputs: &[&str],
) -> Option<String> {
    if name.starts_with(UNNAMED) && op == "MUL_MAT" && LLAMA_LIKE.contains(&architecture) {
        let layer = |input: &&str| {
            let layer = input.strip_prefix("blk.")?;
            layer.strip_suffix(".attn_output.weight")?.parse().ok()
        };
        let layer: usize = inputs.iter().find_map(layer)?;
        return Some(format!("kqv_out-{layer}"));
    }
    let (kind, layer) = kind_and_layer(name);
    let rule = RENAMED.iter().find(|rule| {
        let of_architecture =
            rule.architectures.is_empty() || rule.architectures.contains(&architecture);
        rule.name == kind && rule.ops.contains(&op) && of_architecture
    })?;
    Some(match layer {
        Some(layer) => format!("{}-{layer}", rule.canonical),
        None => rule.canonical.to_owned(),
    })
}

/// The number of elements in the first dimension of a node that is padded, with `positions` positions in the cache.
pub(super) fn padded(kind: &str, positions: usize) -> Option<usize> {
    PADDED
        .contains(&kind)
        .then(|| positions.next_multiple_of(PADDING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_operation_and_architecture() {
        let of = |architecture, name, op| canonical(architecture, name, op, &["x"]);
        assert_eq!(of("llama", "embd", "GET_ROWS").as_deref(), Some("inp_embd"));
        let merged = of("llama", "kqv_out-1", "CONT");
        assert_eq!(merged.as_deref(), Some("kqv_merged_cont-1"));
        // The graph of 2024 has the product under this name.
        assert_eq!(of("llama", "kqv_out-1", "MUL_MAT"), None);
        assert_eq!(of("bitnet", "kqv_out-1", "CONT"), None);
        let product = of("bitnet", "attn_out-12", "MUL_MAT");
        assert_eq!(product.as_deref(), Some("attn_o_out-12"));
        let scaled = of("bitnet", "attn_out-12", "MUL");
        assert_eq!(scaled, product);
        assert_eq!(of("bitnet", "attn_norm-0", "MUL"), None);
    }

    #[test]
    fn the_unnamed_output_of_attention_is_known_by_its_matrix() {
        let of = |name, matrix| canonical("qwen2", name, "MUL_MAT", &[matrix, "kqv_out-3"]);
        let output = of("node_71", "blk.3.attn_output.weight");
        assert_eq!(output.as_deref(), Some("kqv_out-3"));
        assert_eq!(of("node_71", "blk.3.ffn_down.weight"), None);
        assert_eq!(of("other-3", "blk.3.attn_output.weight"), None);
    }

    #[test]
    fn scores_are_padded() {
        assert_eq!(padded("kq", 3), Some(32));
        assert_eq!(padded("kq_soft_max_ext", 64), Some(64));
        assert_eq!(padded("kqv", 3), None);
    }
}
