// The graph of a model of the BitNet family for one ubatch, built from ggml's operations. Operations, order and names
// are those of upstream's llm_build_bitnet, with the gate of the architecture.
#pragma once

#include "bitnet_model.hpp"

namespace oracle {

// Maximum number of tensors created for a graph, and of its nodes and leaves together. A layer has 48 nodes, 18 weights
// and 2 cache tensors.
constexpr size_t graph_capacity(int64_t layers) {
    return 96 * static_cast<size_t>(layers) + 32;
}

// The cache of one layer, f16 or f32, `n_ctx` positions.
struct KvCache {
    ggml_tensor * keys;   // a row of kv_width per position
    ggml_tensor * values; // a row of n_ctx per column of a value; positions are contiguous
};

// The tokens at positions first .. first+tokens-1. Attention covers `span` positions.
struct Ubatch {
    int64_t tokens;
    int64_t first;
    int64_t span;
};

// The input tensors have no data until the graph is allocated.
struct BitnetGraph {
    ggml_cgraph * graph;
    ggml_tensor * tokens;    // i32 ids
    ggml_tensor * positions; // i32
    ggml_tensor * mask;      // span x tokens padded to vintage::mask_padding, added to the scores
    ggml_tensor * outputs;   // i32, tokens whose logits are computed: all
    ggml_tensor * logits;    // vocabulary x tokens
};

// Builds the graph. The context must have memory for graph_capacity tensors and a graph of that size. `caches` has one
// cache for each layer.
BitnetGraph build_bitnet_graph(ggml_context * context, const BitnetModel & model, const std::vector<KvCache> & caches,
                               const Ubatch & ubatch);

} // namespace oracle
