#include "upstream_engine.hpp"

#include "backend.hpp"
#include "formats.hpp"
#include "llama_handles.hpp"
#include "tokenizer.hpp"

namespace oracle {

namespace {

constexpr llama_seq_id sequence = 0;

// Decodes one sequence and computes the logits of every token.
int decode_batch(llama_context * context, const int32_t * tokens, size_t n, size_t first) {
    std::vector<llama_token> ids(tokens, tokens + n);
    std::vector<llama_pos> positions(n);
    for (size_t i = 0; i < n; ++i) {
        positions[i] = static_cast<llama_pos>(first + i);
    }
    llama_seq_id id = sequence;
    std::vector<int32_t> id_counts(n, 1);
    std::vector<llama_seq_id *> ids_of_sequences(n, &id);
    std::vector<int8_t> wanted(n, 1);
    llama_batch batch{};
    batch.n_tokens = static_cast<int32_t>(n);
    batch.token = ids.data();
    batch.pos = positions.data();
    batch.n_seq_id = id_counts.data();
    batch.seq_id = ids_of_sequences.data();
    batch.logits = wanted.data();
    return llama_decode(context, batch);
}

class UpstreamEngine final : public Engine {
  public:
    UpstreamEngine(const char * path, const oracle_session_params & params, Observer observer) {
        clear_log();
        llama_model_params model_params = llama_model_default_params();
        model_params.n_gpu_layers = 0;
        vintage::plain_model(model_params);
        model.reset(vintage::load_model(path, model_params));
        if (model == nullptr) {
            refuse(ORACLE_FILE, "%s: %s", path, last_errors("the model does not load").c_str());
        }
        if (vintage::has_encoder(model.get()) || vintage::is_recurrent(model.get())) {
            refuse(ORACLE_UNSUPPORTED, "%s: only decoder-only transformers can be opened", path);
        }

        llama_context_params context_params = llama_context_default_params();
        context_params.n_ctx = params.n_ctx;
        context_params.n_batch = params.n_batch;
        context_params.n_ubatch = params.n_ubatch;
        context_params.n_threads = static_cast<decltype(context_params.n_threads)>(params.n_threads);
        context_params.n_threads_batch = context_params.n_threads;
        context_params.type_k = format_of(params.kv_format).type;
        context_params.type_v = context_params.type_k;
        vintage::plain_context(context_params);
        context_params.cb_eval = observer.on_node;
        context_params.cb_eval_user_data = observer.user;
        context_params.abort_callback = observer.stopped;
        context_params.abort_callback_data = observer.user;
        context.reset(vintage::new_context(model.get(), context_params));
        if (context == nullptr) {
            refuse(ORACLE_FAILED, "%s: %s", path, last_errors("no context could be made").c_str());
        }
    }

    oracle_session_info info() const override {
        oracle_session_info info{};
        info.n_vocab = vintage::vocabulary_size(model.get());
        info.n_ctx = llama_n_ctx(context.get());
        info.n_batch = llama_n_batch(context.get());
        info.n_layer = vintage::layers(model.get());
        info.n_embd = vintage::embedding(model.get());
        info.graph = "llama.cpp";
        return info;
    }

    size_t tokenize(const char * text, int32_t bytes, bool add_special, int32_t * tokens,
                    int32_t capacity) const override {
        return oracle::tokenize(model.get(), text, bytes, add_special, tokens, capacity);
    }

    void decode(const int32_t * tokens, size_t n, size_t first, Logits & logits) override {
        clear_log();
        vintage::forget(context.get(), sequence, static_cast<llama_pos>(first));
        const int result = decode_batch(context.get(), tokens, n, first);
        if (result != 0) {
            refuse(ORACLE_FAILED, "decode returned %d: %s", result, last_errors("no reason given").c_str());
        }
        const size_t n_vocab = static_cast<size_t>(vintage::vocabulary_size(model.get()));
        for (size_t i = 0; i < n; ++i) {
            const float * row = llama_get_logits_ith(context.get(), static_cast<int32_t>(i));
            if (row == nullptr) {
                refuse(ORACLE_FAILED, "no logits for position %zu: %s", first + i,
                       last_errors("no reason given").c_str());
            }
            logits.emplace_back(row, row + n_vocab);
        }
    }

  private:
    // The context refers to the model. Members are destroyed in reverse order.
    Model model;
    Context context;
};

} // namespace

std::unique_ptr<Engine> upstream_engine(const char * path, const oracle_session_params & params, Observer observer) {
    return std::make_unique<UpstreamEngine>(path, params, observer);
}

} // namespace oracle
