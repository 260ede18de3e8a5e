// Sessions: a model with a context for decoding.
#include "backend.hpp"
#include "engine.hpp"
#include "operations.hpp"
#include "status.hpp"
#include "vintage.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/stat.h>
#include <cerrno>

struct oracle_session {
    std::unique_ptr<oracle::Engine> engine;
    // The info of the engine, which does not change.
    oracle_session_info info{};
    oracle::Logits logits;
    // The state of the running decode.
    oracle_node_callback callback = nullptr;
    void * user = nullptr;
    bool stopped = false;
};

namespace oracle {

namespace {

constexpr uint32_t max_positions = 1u << 30;

// Rejects files that are not GGUF files. Upstream checks some content with assertions, which abort the process.
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
    // Positions are int32_t in upstream, and upstream rounds n_ctx up.
    if (params.n_ctx > max_positions || params.n_batch > max_positions) {
        refuse(ORACLE_BAD_ARGUMENT, "n_ctx and n_batch are at most %u", max_positions);
    }
    if (params.n_ubatch > params.n_batch) {
        refuse(ORACLE_BAD_ARGUMENT, "n_ubatch is %u, at most n_batch = %u", params.n_ubatch, params.n_batch);
    }
    require_threads(params.n_threads);
    if (params.kv_format == GGML_TYPE_F32) {
        refuse(ORACLE_UNSUPPORTED, "this revision supports an f32 value cache only with flash attention, "
                                   "which computes different results: open the session with an f16 cache");
    }
    if (params.kv_format != GGML_TYPE_F16) {
        refuse(ORACLE_BAD_ARGUMENT, "kv_format must be f16 or f32");
    }
    if (params.graph != ORACLE_GRAPH_AUTO && params.graph != ORACLE_GRAPH_OPS) {
        refuse(ORACLE_BAD_ARGUMENT, "graph is %d, which is none of enum oracle_graph", static_cast<int>(params.graph));
    }
}

const oracle_session & require_session(const oracle_session * session) {
    require_pointer(session, "session");
    return *session;
}

// Called twice for each node: with `ask` to find out whether it is needed, and then with its data.
vintage::Proceed on_node(ggml_tensor * tensor, bool ask, void * user) {
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

bool has_stopped(void * user) {
    return static_cast<const oracle_session *>(user)->stopped;
}

// Removes the logits from a position on: in the constructor, and in the destructor unless `keep` was called.
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
    void forget() { session.logits.resize(std::min(session.logits.size(), first)); }
    oracle_session & session;
    const size_t first;
    bool succeeded = false;
};

void decode(oracle_session & session, const int32_t * tokens, size_t n, size_t first, oracle_node_callback callback,
            void * user) {
    Rewind rewind(session, first);
    session.callback = callback;
    session.user = user;
    session.stopped = false;
    session.engine->decode(tokens, n, first, session.logits);
    if (session.stopped) {
        refuse(ORACLE_STOPPED, "the callback stopped the decode");
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

        auto opened = std::make_unique<oracle_session>();
        opened->engine = open_engine(path, *params, {on_node, has_stopped, opened.get()});
        opened->info = opened->engine->info();
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
        *info = opened.info;
    });
}

oracle_status session_decode(oracle_session * session, const int32_t * tokens, size_t n, uint64_t first,
                             oracle_node_callback callback, void * user, oracle_message * message) {
    return guarded(message, [&] {
        require_session(session);
        require_pointer(tokens, "tokens");
        require_positive(n, "n");
        const oracle_session_info & info = session->info;
        if (n > info.n_batch) {
            refuse(ORACLE_BAD_ARGUMENT, "%zu tokens in one decode, n_batch is %u", n, info.n_batch);
        }
        if (first > session->logits.size()) {
            refuse(ORACLE_BAD_ARGUMENT, "first position %llu leaves a gap: %zu positions are decoded",
                   static_cast<unsigned long long>(first), session->logits.size());
        }
        if (n > info.n_ctx - first) {
            refuse(ORACLE_BAD_ARGUMENT, "position %llu does not fit, n_ctx is %u",
                   static_cast<unsigned long long>(first + n - 1), info.n_ctx);
        }
        for (size_t i = 0; i < n; ++i) {
            if (tokens[i] < 0 || static_cast<uint32_t>(tokens[i]) >= info.n_vocab) {
                refuse(ORACLE_BAD_ARGUMENT, "token %zu is %d, the vocabulary has %u", i, tokens[i], info.n_vocab);
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
        if (text_bytes > INT32_MAX) {
            refuse(ORACLE_BAD_ARGUMENT, "text has %zu bytes, at most %d", text_bytes, INT32_MAX);
        }
        *n = opened.engine->tokenize(text, static_cast<int32_t>(text_bytes), add_special != 0, tokens,
                                     static_cast<int32_t>(std::min<size_t>(capacity, INT32_MAX)));
        require_capacity(capacity, *n, "tokens");
    });
}

} // namespace oracle
