#include "bitnet_engine.hpp"

#include "backend.hpp"
#include "bitnet_graph.hpp"
#include "formats.hpp"
#include "llama_handles.hpp"
#include "tokenizer.hpp"

#include <algorithm>
#include <cmath>

namespace oracle {

namespace {

// The number of positions in attention is a multiple of this: llama_kv_cache_get_padding. Positions that are not
// decoded are masked.
constexpr uint32_t kv_padding = 32;

// The architecture of the family that upstream supports.
constexpr const char * upstream_architecture = "bitnet";

llama_model_kv_override override_of(const char * key, llama_model_kv_override_type tag) {
    llama_model_kv_override entry{};
    entry.tag = tag;
    std::snprintf(entry.key, sizeof entry.key, "%s", key);
    return entry;
}

// Loads the vocabulary of the file with upstream. Upstream may not support the architecture, so it is overridden.
Model load_vocabulary(const Gguf & gguf, const BitnetArchitecture & architecture) {
    std::vector<llama_model_kv_override> overrides;
    overrides.push_back(override_of("general.architecture", LLAMA_KV_OVERRIDE_TYPE_STR));
    std::snprintf(overrides.back().val_str, sizeof overrides.back().val_str, "%s", upstream_architecture);
    const std::string key = std::string(architecture.name) + ".vocab_size";
    if (gguf.has(key)) {
        overrides.push_back(override_of((std::string(upstream_architecture) + ".vocab_size").c_str(),
                                        LLAMA_KV_OVERRIDE_TYPE_INT));
        overrides.back().val_i64 = gguf.required_u32(key);
    }
    overrides.push_back({}); // an empty key terminates the list
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    params.kv_overrides = overrides.data();
    clear_log();
    Model model(vintage::load_model(gguf.path(), params));
    if (model == nullptr) {
        refuse(ORACLE_FILE, "%s: %s", gguf.path(), last_errors("the vocabulary does not load").c_str());
    }
    return model;
}

Tensors new_context(size_t bytes, void * memory = nullptr) {
    Tensors context(ggml_init({bytes, memory, /* no_alloc */ true}));
    if (context == nullptr) {
        refuse(ORACLE_FAILED, "upstream's contexts for tensors are all in use");
    }
    return context;
}

class BitnetEngine final : public Engine {
  public:
    BitnetEngine(std::unique_ptr<const Gguf> gguf, const BitnetArchitecture & architecture,
                 const oracle_session_params & params, Observer observer)
        : tokenizer(load_vocabulary(*gguf, architecture)),
          model(std::move(gguf), architecture, vintage::vocabulary_size(tokenizer.get())),
          observer(observer) {
        // The same rounding as in upstream.
        n_ctx = GGML_PAD(params.n_ctx, kv_padding);
        n_batch = std::max<uint32_t>(std::min(n_ctx, params.n_batch), vintage::mask_padding);
        n_ubatch = std::min(n_batch, params.n_ubatch);
        make_caches(format_of(params.kv_format).type);

        const size_t capacity = graph_capacity(model.sizes.layers);
        graph_memory.resize(capacity * ggml_tensor_overhead() +
                            ggml_graph_overhead_custom(capacity, /* grads */ false));
        backend.reset(ggml_backend_cpu_init());
        if (backend == nullptr) {
            refuse(ORACLE_FAILED, "upstream's backend does not start");
        }
        ggml_backend_cpu_set_n_threads(backend.get(), static_cast<int>(params.n_threads));
        ggml_backend_t backends[] = {backend.get()};
        scheduler.reset(vintage::scheduler(backends, capacity));
        ggml_backend_sched_set_eval_callback(scheduler.get(), observer.on_node, observer.user);
    }

    oracle_session_info info() const override {
        oracle_session_info info{};
        info.n_vocab = static_cast<uint32_t>(model.sizes.vocabulary);
        info.n_ctx = n_ctx;
        info.n_batch = n_batch;
        info.n_layer = static_cast<uint32_t>(model.sizes.layers);
        info.n_embd = static_cast<uint32_t>(model.sizes.embedding);
        info.graph = "ggml ops of the shim";
        return info;
    }

    size_t tokenize(const char * text, int32_t bytes, bool add_special, int32_t * tokens,
                    int32_t capacity) const override {
        return oracle::tokenize(tokenizer.get(), text, bytes, add_special, tokens, capacity);
    }

    void decode(const int32_t * tokens, size_t n, size_t first, Logits & logits) override {
        for (size_t done = 0; done < n && !observer.stopped(observer.user);) {
            const size_t count = std::min<size_t>(n - done, n_ubatch);
            compute(tokens + done, count, first + done, logits);
            done += count;
        }
    }

  private:
    // The caches are zeroed: masked positions are multiplied with zero and must not be NaN.
    void make_caches(ggml_type type) {
        const BitnetSizes & sizes = model.sizes;
        const size_t layers = static_cast<size_t>(sizes.layers);
        const size_t elements = product(n_ctx, static_cast<uint64_t>(sizes.kv_width()), "the key-value cache");
        product(elements, 2 * layers * ggml_type_size(type), "the key-value cache");
        cache_context = new_context(2 * layers * ggml_tensor_overhead());
        for (size_t layer = 0; layer < layers; ++layer) {
            KvCache cache{};
            cache.keys = ggml_new_tensor_1d(cache_context.get(), type, static_cast<int64_t>(elements));
            cache.values = ggml_new_tensor_1d(cache_context.get(), type, static_cast<int64_t>(elements));
            ggml_format_name(cache.keys, "cache_k_l%zu", layer);
            ggml_format_name(cache.values, "cache_v_l%zu", layer);
            caches.push_back(cache);
        }
        cache_buffer.reset(
            ggml_backend_alloc_ctx_tensors_from_buft(cache_context.get(), ggml_backend_cpu_buffer_type()));
        if (cache_buffer == nullptr) {
            refuse(ORACLE_OUT_OF_MEMORY, "no room for the key-value cache of %u positions", n_ctx);
        }
        ggml_backend_buffer_clear(cache_buffer.get(), 0);
    }

    void compute(const int32_t * tokens, size_t n, size_t first, Logits & logits) {
        const uint32_t decoded = static_cast<uint32_t>(first + n);
        const Ubatch ubatch{static_cast<int64_t>(n), static_cast<int64_t>(first),
                            std::min<int64_t>(n_ctx, GGML_PAD(decoded, kv_padding))};
        const Tensors context = new_context(graph_memory.size(), graph_memory.data());
        const BitnetGraph graph = build_bitnet_graph(context.get(), model, caches, ubatch);
        ggml_backend_sched_reset(scheduler.get());
        clear_log();
        if (!ggml_backend_sched_alloc_graph(scheduler.get(), graph.graph)) {
            refuse(ORACLE_OUT_OF_MEMORY, "no room for a graph of %zu tokens: %s", n,
                   last_errors("no reason given").c_str());
        }
        set_inputs(graph, tokens, ubatch);
        const ggml_status status = ggml_backend_sched_graph_compute(scheduler.get(), graph.graph);
        if (status != GGML_STATUS_SUCCESS) {
            refuse(ORACLE_FAILED, "the graph executor returned %s", ggml_status_to_string(status));
        }
        const float * row = static_cast<const float *>(graph.logits->data);
        for (size_t i = 0; i < n; ++i, row += model.sizes.vocabulary) {
            logits.emplace_back(row, row + model.sizes.vocabulary);
        }
    }

    static void set_inputs(const BitnetGraph & graph, const int32_t * tokens, const Ubatch & ubatch) {
        std::copy(tokens, tokens + ubatch.tokens, static_cast<int32_t *>(graph.tokens->data));
        int32_t * positions = static_cast<int32_t *>(graph.positions->data);
        int32_t * outputs = static_cast<int32_t *>(graph.outputs->data);
        float * mask = static_cast<float *>(graph.mask->data);
        for (int64_t i = 0; i < graph.mask->ne[1]; ++i, mask += ubatch.span) {
            if (i < ubatch.tokens) {
                positions[i] = static_cast<int32_t>(ubatch.first + i);
                outputs[i] = static_cast<int32_t>(i);
            }
            // A token attends to the positions up to its own. In rows that pad the mask, all positions are masked.
            float * const visible = i < ubatch.tokens ? mask + ubatch.first + i + 1 : mask;
            std::fill(mask, visible, 0.0f);
            std::fill(visible, mask + ubatch.span, -INFINITY);
        }
    }

    // Members are destroyed in reverse order, so members that refer to others come after them.
    const Model tokenizer;
    const BitnetModel model;
    const Observer observer;
    uint32_t n_ctx = 0;
    uint32_t n_batch = 0;
    uint32_t n_ubatch = 0;
    Tensors cache_context;
    Buffer cache_buffer;
    std::vector<KvCache> caches;
    // Memory of the graph. Each ubatch reuses it.
    std::vector<uint8_t> graph_memory;
    Backend backend;
    Scheduler scheduler;
};

} // namespace

std::unique_ptr<Engine> bitnet_engine(std::unique_ptr<const Gguf> gguf, const BitnetArchitecture & architecture,
                                      const oracle_session_params & params, Observer observer) {
    return std::make_unique<BitnetEngine>(std::move(gguf), architecture, params, observer);
}

} // namespace oracle
