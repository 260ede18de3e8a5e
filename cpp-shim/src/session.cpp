// Sessions: a model with a context to decode in.
#include "backend.hpp"
#include "formats.hpp"
#include "operations.hpp"

#include "llama.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/stat.h>
#include <cerrno>

namespace {

struct ModelCloser {
    void operator()(llama_model * model) const { llama_free_model(model); }
};

struct ContextCloser {
    void operator()(llama_context * context) const { llama_free(context); }
};

} // namespace

struct oracle_session {
    // The context refers to the model: members are destroyed from the last to the first.
    std::unique_ptr<llama_model, ModelCloser> model;
    std::unique_ptr<llama_context, ContextCloser> context;
    // A row of n_vocab for every decoded position; upstream keeps only those of its last batch.
    std::vector<std::vector<float>> logits;
    // Of the decode that is running.
    oracle_node_callback callback = nullptr;
    void * user = nullptr;
    bool stopped = false;
};

namespace oracle {

namespace {

constexpr llama_seq_id sequence = 0;
constexpr uint32_t max_positions = 1u << 30;

// Upstream checks a file's content with assertions here and there, which abort; what is no model at all is caught
// before.
void require_model_file(const char * path) {
    struct stat status {};
    if (stat(path, &status) != 0) {
        refuse(ORACLE_FILE, "%s: %s", path, std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        refuse(ORACLE_FILE, "%s is not a regular file", path);
    }
    const std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path, "rb"), std::fclose);
    if (file == nullptr) {
        refuse(ORACLE_FILE, "%s: %s", path, std::strerror(errno));
    }
    char magic[4] = {};
    if (std::fread(magic, 1, sizeof magic, file.get()) != sizeof magic || std::memcmp(magic, "GGUF", 4) != 0) {
        refuse(ORACLE_FILE, "%s is not a GGUF file: it does not begin with \"GGUF\"", path);
    }
}

void require_params(const oracle_session_params & params) {
    require_positive(params.n_ctx, "n_ctx");
    require_positive(params.n_batch, "n_batch");
    require_positive(params.n_ubatch, "n_ubatch");
    // Positions are int32_t upstream, and it rounds n_ctx up.
    if (params.n_ctx > max_positions || params.n_batch > max_positions) {
        refuse(ORACLE_BAD_ARGUMENT, "n_ctx and n_batch are at most %u", max_positions);
    }
    if (params.n_ubatch > params.n_batch) {
        refuse(ORACLE_BAD_ARGUMENT, "n_ubatch is %u, at most n_batch = %u", params.n_ubatch, params.n_batch);
    }
    if (params.n_threads < 1 || params.n_threads > GGML_MAX_N_THREADS) {
        refuse(ORACLE_BAD_ARGUMENT, "n_threads is %u, must be 1..%d", params.n_threads, GGML_MAX_N_THREADS);
    }
    if (params.kv_format == ORACLE_F32) {
        refuse(ORACLE_UNSUPPORTED, "this revision keeps the value cache in f16 unless it computes flash attention, "
                                   "which is another arithmetic: open the session with an f16 cache");
    }
    if (params.kv_format != ORACLE_F16) {
        refuse(ORACLE_BAD_ARGUMENT, "kv_format must be f16 or f32");
    }
}

const oracle_session & require_session(const oracle_session * session) {
    require_pointer(session, "session");
    return *session;
}

// Called twice a node: whether it is wanted (ask), then with its data.
bool on_node(ggml_tensor * tensor, bool ask, void * user) {
    oracle_session & session = *static_cast<oracle_session *>(user);
    if (session.callback == nullptr || session.stopped) {
        return false;
    }
    if (ask) {
        return true;
    }
    oracle_node node{};
    node.name = tensor->name;
    node.op = ggml_op_desc(tensor);
    node.element = ggml_type_name(tensor->type);
    const char * inputs[GGML_MAX_SRC];
    for (const ggml_tensor * source : tensor->src) {
        if (source != nullptr) {
            inputs[node.n_inputs++] = source->name;
        }
    }
    node.inputs = inputs;
    std::copy(tensor->ne, tensor->ne + 4, node.ne);
    std::copy(tensor->nb, tensor->nb + 4, node.nb);
    node.data = static_cast<const uint8_t *>(tensor->data);
    node.data_bytes = tensor->data == nullptr ? 0 : ggml_nbytes(tensor);
    session.stopped = session.callback(session.user, &node) == 0;
    return !session.stopped;
}

// Forgets everything from a position on, unless the decode is said to have succeeded.
class Rewind {
  public:
    Rewind(oracle_session & session, size_t first) : session(session), first(first) { forget(); }
    ~Rewind() {
        session.callback = nullptr;
        session.user = nullptr;
        if (!succeeded) {
            forget();
        }
    }
    Rewind(const Rewind &) = delete;
    Rewind & operator=(const Rewind &) = delete;
    void keep() { succeeded = true; }

  private:
    void forget() {
        llama_kv_cache_seq_rm(session.context.get(), sequence, static_cast<llama_pos>(first), -1);
        session.logits.resize(std::min(session.logits.size(), first));
    }
    oracle_session & session;
    const size_t first;
    bool succeeded = false;
};

// One sequence, logits wanted for every token.
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

void decode(oracle_session & session, const int32_t * tokens, size_t n, size_t first, oracle_node_callback callback,
            void * user) {
    const size_t n_vocab = static_cast<size_t>(llama_n_vocab(session.model.get()));
    Rewind rewind(session, first);
    session.callback = callback;
    session.user = user;
    session.stopped = false;
    clear_log();
    const int result = decode_batch(session.context.get(), tokens, n, first);
    if (session.stopped) {
        refuse(ORACLE_STOPPED, "the callback stopped the decode");
    }
    if (result != 0) {
        refuse(ORACLE_FAILED, "decode returned %d: %s", result, last_errors("no reason given").c_str());
    }
    for (size_t i = 0; i < n; ++i) {
        const float * row = llama_get_logits_ith(session.context.get(), static_cast<int32_t>(i));
        if (row == nullptr) {
            refuse(ORACLE_FAILED, "no logits for position %zu: %s", first + i, last_errors("no reason given").c_str());
        }
        session.logits.emplace_back(row, row + n_vocab);
    }
    rewind.keep();
}

} // namespace

oracle_status session_open(const char * path, const oracle_session_params * params, oracle_session ** session,
                           oracle_message * message) {
    return guarded(message, [&] {
        require_pointer(session, "session");
        *session = nullptr;
        require_pointer(path, "path");
        require_pointer(params, "params");
        require_params(*params);
        require_model_file(path);
        start_backend();
        clear_log();

        auto opened = std::make_unique<oracle_session>();
        llama_model_params model_params = llama_model_default_params();
        model_params.n_gpu_layers = 0;
        opened->model.reset(llama_load_model_from_file(path, model_params));
        if (opened->model == nullptr) {
            refuse(ORACLE_FILE, "%s: %s", path, last_errors("the model does not load").c_str());
        }
        const llama_model * model = opened->model.get();
        if (llama_model_has_encoder(model) || llama_model_is_recurrent(model)) {
            refuse(ORACLE_UNSUPPORTED, "%s: only decoder-only transformers can be opened", path);
        }

        llama_context_params context_params = llama_context_default_params();
        context_params.n_ctx = params->n_ctx;
        context_params.n_batch = params->n_batch;
        context_params.n_ubatch = params->n_ubatch;
        context_params.n_threads = static_cast<int32_t>(params->n_threads);
        context_params.n_threads_batch = static_cast<int32_t>(params->n_threads);
        context_params.type_k = format_of(params->kv_format).type;
        context_params.type_v = context_params.type_k;
        context_params.no_perf = true;
        context_params.cb_eval = on_node;
        context_params.cb_eval_user_data = opened.get();
        opened->context.reset(llama_new_context_with_model(opened->model.get(), context_params));
        if (opened->context == nullptr) {
            refuse(ORACLE_FAILED, "%s: %s", path, last_errors("no context could be made").c_str());
        }
        *session = opened.release();
    });
}

void session_close(oracle_session * session) {
    delete session;
}

oracle_status session_info(const oracle_session * session, oracle_session_info * info, oracle_message * message) {
    return guarded(message, [&] {
        const oracle_session & opened = require_session(session);
        require_pointer(info, "info");
        info->n_vocab = static_cast<uint32_t>(llama_n_vocab(opened.model.get()));
        info->n_ctx = llama_n_ctx(opened.context.get());
        info->n_batch = llama_n_batch(opened.context.get());
        info->n_layer = static_cast<uint32_t>(llama_n_layer(opened.model.get()));
        info->n_embd = static_cast<uint32_t>(llama_n_embd(opened.model.get()));
    });
}

oracle_status session_decode(oracle_session * session, const int32_t * tokens, size_t n, uint64_t first,
                             oracle_node_callback callback, void * user, oracle_message * message) {
    return guarded(message, [&] {
        require_session(session);
        require_pointer(tokens, "tokens");
        require_positive(n, "n");
        const uint32_t n_batch = llama_n_batch(session->context.get());
        const uint32_t n_ctx = llama_n_ctx(session->context.get());
        if (n > n_batch) {
            refuse(ORACLE_BAD_ARGUMENT, "%zu tokens in one decode, n_batch is %u", n, n_batch);
        }
        if (first > session->logits.size()) {
            refuse(ORACLE_BAD_ARGUMENT, "first position %llu leaves a gap: %zu positions are decoded",
                   static_cast<unsigned long long>(first), session->logits.size());
        }
        if (n > n_ctx - first) {
            refuse(ORACLE_BAD_ARGUMENT, "position %llu does not fit, n_ctx is %u",
                   static_cast<unsigned long long>(first + n - 1), n_ctx);
        }
        const int32_t n_vocab = llama_n_vocab(session->model.get());
        for (size_t i = 0; i < n; ++i) {
            if (tokens[i] < 0 || tokens[i] >= n_vocab) {
                refuse(ORACLE_BAD_ARGUMENT, "token %zu is %d, the vocabulary has 0..%d", i, tokens[i], n_vocab - 1);
            }
        }
        decode(*session, tokens, n, static_cast<size_t>(first), callback, user);
    });
}

oracle_status session_logits(const oracle_session * session, uint64_t position, const float ** logits, size_t * n,
                             oracle_message * message) {
    return guarded(message, [&] {
        const oracle_session & opened = require_session(session);
        require_pointer(logits, "logits");
        require_pointer(n, "n");
        if (position >= opened.logits.size()) {
            refuse(ORACLE_BAD_ARGUMENT, "position %llu is not decoded: %zu positions are",
                   static_cast<unsigned long long>(position), opened.logits.size());
        }
        const std::vector<float> & row = opened.logits[static_cast<size_t>(position)];
        *logits = row.data();
        *n = row.size();
    });
}

oracle_status session_tokenize(const oracle_session * session, const char * text, size_t text_bytes,
                               int32_t add_special, int32_t * tokens, size_t capacity, size_t * n,
                               oracle_message * message) {
    return guarded(message, [&] {
        const oracle_session & opened = require_session(session);
        require_pointer(text, "text");
        require_pointer(tokens, "tokens");
        require_pointer(n, "n");
        *n = 0;
        if (llama_vocab_type(opened.model.get()) == LLAMA_VOCAB_TYPE_NONE) {
            refuse(ORACLE_UNSUPPORTED, "the model has no tokenizer: give token ids instead");
        }
        if (text_bytes > INT32_MAX) {
            refuse(ORACLE_BAD_ARGUMENT, "text has %zu bytes, at most %d", text_bytes, INT32_MAX);
        }
        const int32_t room = static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX));
        const int32_t count = llama_tokenize(opened.model.get(), text, static_cast<int32_t>(text_bytes), tokens, room,
                                             add_special != 0, /* parse_special */ false);
        *n = static_cast<size_t>(count < 0 ? -static_cast<int64_t>(count) : count);
        require_capacity(capacity, *n, "tokens");
    });
}

} // namespace oracle
