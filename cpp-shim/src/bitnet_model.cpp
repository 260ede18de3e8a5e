#include "bitnet_model.hpp"

#include "formats.hpp"

namespace oracle {

namespace {

constexpr BitnetArchitecture architectures[] = {
    {"bitnet", Gate::silu, /* upstream */ true},
    {"bitnet-b1.58", Gate::relu_squared, /* upstream */ false},
    {"bitnet-25", Gate::relu_squared, /* upstream */ false}, // older name of the same architecture
};

// The metadata of one architecture.
struct Keys {
    const Gguf & gguf;
    const std::string prefix;

    std::string key(const char * name) const { return prefix + "." + name; }

    [[noreturn]] void wrong(const char * name, uint32_t found, const char * must) const {
        refuse(ORACLE_FILE, "%s: %s is %u, must %s", gguf.path(), key(name).c_str(), found, must);
    }

    // Sizes are below 2^31, so the product of two fits in an int64_t.
    uint32_t positive(const char * name, uint32_t found) const {
        if (found < 1 || found > INT32_MAX) {
            wrong(name, found, "be between 1 and 2^31 - 1");
        }
        return found;
    }
    uint32_t size(const char * name) const { return positive(name, gguf.required_u32(key(name))); }
    uint32_t size(const char * name, uint32_t otherwise) const {
        return positive(name, gguf.u32(key(name), otherwise));
    }
};

// The factor of every angle.
float rope_scale(const Keys & keys) {
    const char * type_name = "rope.scaling.type";
    const std::string type = keys.gguf.string(keys.key(type_name), "linear");
    if (type == "none") {
        return 1.0f;
    }
    if (type != "linear") {
        refuse(ORACLE_UNSUPPORTED, "%s: %s is %s: the graph of operations supports only linear scaling or none",
               keys.gguf.path(), keys.key(type_name).c_str(), type.c_str());
    }
    const std::string factor_name = keys.key("rope.scaling.factor");
    const float factor = keys.gguf.f32(keys.gguf.has(factor_name) ? factor_name : keys.key("rope.scale_linear"), 0.0f);
    return factor == 0.0f ? 1.0f : 1.0f / factor;
}

BitnetSizes read_sizes(const Gguf & gguf, const char * architecture, uint32_t vocabulary) {
    const Keys keys{gguf, architecture};
    BitnetSizes sizes{};
    sizes.layers = keys.size("block_count");
    sizes.feed_forward = keys.size("feed_forward_length");
    sizes.vocabulary = vocabulary;
    const uint32_t embedding = keys.size("embedding_length");
    const uint32_t heads = keys.size("attention.head_count");
    const uint32_t kv_heads = keys.size("attention.head_count_kv", heads);
    if (heads % kv_heads != 0) {
        keys.wrong("attention.head_count_kv", kv_heads, "divide attention.head_count");
    }
    if (embedding % heads != 0) {
        keys.wrong("attention.head_count", heads, "divide embedding_length");
    }
    const uint32_t head = keys.size("attention.key_length", embedding / heads);
    const uint32_t value = keys.size("attention.value_length", embedding / heads);
    if (value != head) {
        keys.wrong("attention.value_length", value, "be attention.key_length");
    }
    const uint32_t rotated = keys.size("rope.dimension_count", head);
    if (rotated > head || rotated % 2 != 0) {
        keys.wrong("rope.dimension_count", rotated, "be even and at most the width of a head");
    }
    sizes.embedding = embedding;
    sizes.heads = heads;
    sizes.kv_heads = kv_heads;
    sizes.head = head;
    sizes.rms_epsilon = gguf.required_f32(keys.key("attention.layer_norm_rms_epsilon"));
    if (!(sizes.rms_epsilon > 0.0f)) {
        refuse(ORACLE_FILE, "%s: %s is %g, must be positive", gguf.path(),
               keys.key("attention.layer_norm_rms_epsilon").c_str(), static_cast<double>(sizes.rms_epsilon));
    }
    sizes.rope_dimensions = static_cast<int>(rotated);
    sizes.rope_context =
        static_cast<int>(keys.size("rope.scaling.original_context_length", keys.size("context_length")));
    sizes.rope_base = gguf.f32(keys.key("rope.freq_base"), 10000.0f);
    sizes.rope_scale = rope_scale(keys);
    sizes.rope_magnitude = gguf.f32(keys.key("rope.scaling.attn_factor"), 1.0f);
    return sizes;
}

} // namespace

const BitnetArchitecture * bitnet_architecture(const std::string & name) {
    for (const BitnetArchitecture & architecture : architectures) {
        if (name == architecture.name) {
            return &architecture;
        }
    }
    return nullptr;
}

BitnetModel::BitnetModel(std::unique_ptr<const Gguf> file, const BitnetArchitecture & architecture, uint32_t vocabulary)
    : architecture(architecture), sizes(read_sizes(*file, architecture.name, vocabulary)), gguf(std::move(file)),
      mapping(gguf->path()) {
    embedding = placed("token_embd.weight", sizes.embedding, sizes.vocabulary);
    if (format_of_type(embedding->type)->is_i2_s) {
        refuse(ORACLE_UNSUPPORTED, "%s: tensor %s is of type i2_s, which upstream cannot take rows from", gguf->path(),
               embedding->name);
    }
    output_norm = vector("output_norm.weight", sizes.embedding);
    // The first missing layer is an error, so a large number of layers in the metadata does not allocate memory.
    for (size_t index = 0; index < static_cast<size_t>(sizes.layers); ++index) {
        layers.push_back(layer(index));
    }
    if (used != gguf->tensor_count()) {
        refuse(ORACLE_FILE, "%s: %zu tensors, of which architecture %s has a use for %zu", gguf->path(),
               gguf->tensor_count(), architecture.name, used);
    }
}

BitnetLayer BitnetModel::layer(size_t index) {
    const std::string block = "blk." + std::to_string(index) + ".";
    BitnetLayer layer{};
    layer.attn_norm = vector(block + "attn_norm.weight", sizes.embedding);
    layer.query = linear(block + "attn_q", sizes.embedding, sizes.queries_width());
    layer.key = linear(block + "attn_k", sizes.embedding, sizes.kv_width());
    layer.value = linear(block + "attn_v", sizes.embedding, sizes.kv_width());
    layer.attn_sub_norm = vector(block + "attn_sub_norm.weight", sizes.queries_width());
    layer.attn_output = linear(block + "attn_output", sizes.queries_width(), sizes.embedding);
    layer.ffn_norm = vector(block + "ffn_norm.weight", sizes.embedding);
    layer.gate = linear(block + "ffn_gate", sizes.embedding, sizes.feed_forward);
    layer.up = linear(block + "ffn_up", sizes.embedding, sizes.feed_forward);
    layer.ffn_sub_norm = vector(block + "ffn_sub_norm.weight", sizes.feed_forward);
    layer.down = linear(block + "ffn_down", sizes.feed_forward, sizes.embedding);
    return layer;
}

// Operations of norms and scales with f32 activations support only f32.
ggml_tensor * BitnetModel::vector(const std::string & name, int64_t length) {
    ggml_tensor * tensor = placed(name, length, 1);
    if (tensor->type != GGML_TYPE_F32) {
        refuse(ORACLE_FILE, "%s: tensor %s is of type %s, must be f32", gguf->path(), tensor->name,
               ggml_type_name(tensor->type));
    }
    return tensor;
}

Linear BitnetModel::linear(const std::string & stem, int64_t cols, int64_t rows) {
    Linear linear{placed(stem + ".weight", cols, rows), nullptr};
    const std::string scale = stem + ".scale";
    if (gguf->tensor(scale) != nullptr) {
        linear.scale = vector(scale, 1);
    }
    return linear;
}

ggml_tensor * BitnetModel::placed(const std::string & name, int64_t cols, int64_t rows) {
    ggml_tensor * tensor = gguf->tensor(name);
    if (tensor == nullptr) {
        refuse(ORACLE_FILE, "%s: there is no tensor %s", gguf->path(), name.c_str());
    }
    const int64_t * ne = tensor->ne;
    if (ne[0] != cols || ne[1] != rows || ne[2] != 1 || ne[3] != 1) {
        refuse(ORACLE_FILE, "%s: tensor %s is %lld x %lld x %lld x %lld, must be %lld x %lld", gguf->path(),
               name.c_str(), static_cast<long long>(ne[0]), static_cast<long long>(ne[1]),
               static_cast<long long>(ne[2]), static_cast<long long>(ne[3]), static_cast<long long>(cols),
               static_cast<long long>(rows));
    }
    const Format * format = format_of_type(tensor->type);
    if (format == nullptr) {
        refuse(ORACLE_UNSUPPORTED, "%s: tensor %s is of type %s, which the graph of operations does not take",
               gguf->path(), name.c_str(), ggml_type_name(tensor->type));
    }
    if (cols % format->info.cols_multiple != 0) {
        refuse(ORACLE_FILE, "%s: tensor %s has %lld columns, %s needs a multiple of %u", gguf->path(), name.c_str(),
               static_cast<long long>(cols), format->info.name, format->info.cols_multiple);
    }
    if (!mapping.place(tensor, gguf->offset_of(tensor))) {
        refuse(ORACLE_FILE, "%s: tensor %s ends beyond the file", gguf->path(), name.c_str());
    }
    ++used;
    return tensor;
}

} // namespace oracle
