// A model of the BitNet family: its sizes and its tensors, the input of the graph in bitnet_graph.hpp.
#pragma once

#include "gguf.hpp"
#include "mapping.hpp"

#include <memory>
#include <vector>

namespace oracle {

// The activation function of the gate in the feed-forward network.
enum class Gate { silu, relu_squared };

struct BitnetArchitecture {
    const char * name; // value of general.architecture and prefix of the metadata keys
    Gate gate;
    bool upstream; // whether upstream has a graph for it
};

// NULL if the architecture is not of the family.
const BitnetArchitecture * bitnet_architecture(const std::string & name);

struct BitnetSizes {
    int64_t layers;
    int64_t embedding;
    int64_t feed_forward;
    int64_t heads;
    int64_t kv_heads; // heads / kv_heads heads share one
    int64_t head;
    int64_t vocabulary;
    float rms_epsilon;
    int rope_dimensions;
    int rope_context; // number of positions in training
    float rope_base;
    float rope_scale;
    float rope_magnitude;

    int64_t queries_width() const { return heads * head; }
    int64_t kv_width() const { return kv_heads * head; }
};

// A matrix, cols x rows, and an additional scale of its products, or NULL.
struct Linear {
    ggml_tensor * weight = nullptr;
    ggml_tensor * scale = nullptr;
};

struct BitnetLayer {
    ggml_tensor * attn_norm;
    Linear query;
    Linear key;
    Linear value;
    ggml_tensor * attn_sub_norm;
    Linear attn_output;
    ggml_tensor * ffn_norm;
    Linear gate;
    Linear up;
    ggml_tensor * ffn_sub_norm;
    Linear down;
};

// Keys, defaults, names and shapes are those of llm_load_hparams and llm_load_tensors of upstream.
class BitnetModel {
  public:
    // `vocabulary` is the number of tokens in the vocabulary. Rejects a file whose metadata or tensors do not match the
    // architecture, so that building and computing its graph does not fail an assertion of upstream.
    BitnetModel(std::unique_ptr<const Gguf> file, const BitnetArchitecture & architecture, uint32_t vocabulary);

    const BitnetArchitecture & architecture;
    const BitnetSizes sizes;
    // The embedding, which is also the output matrix.
    ggml_tensor * embedding;
    ggml_tensor * output_norm;
    std::vector<BitnetLayer> layers;

  private:
    BitnetLayer layer(size_t index);
    ggml_tensor * vector(const std::string & name, int64_t length);
    Linear linear(const std::string & stem, int64_t cols, int64_t rows);
    ggml_tensor * placed(const std::string & name, int64_t cols, int64_t rows);

    std::unique_ptr<const Gguf> gguf;
    Mapping mapping;
    size_t used = 0;
};

} // namespace oracle
