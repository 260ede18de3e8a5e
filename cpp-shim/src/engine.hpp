// The computation of a session: upstream's context, or a graph of upstream's operations built by the shim.
#pragma once

#include "oracle.h"

#include "ggml-backend.h"

#include <memory>
#include <vector>

namespace oracle {

// The callbacks of a computation.
struct Observer {
    // Called for every node.
    ggml_backend_sched_eval_callback on_node;
    // Whether the computation should stop. Nodes that are computed after that must not be written to the cache, because
    // their operands may not have been computed.
    ggml_abort_callback stopped;
    void * user;
};

// A row of n_vocab logits for every decoded position.
using Logits = std::vector<std::vector<float>>;

class Engine {
  public:
    virtual ~Engine() = default;

    virtual oracle_session_info info() const = 0;

    // Tokenizes `bytes` bytes of text. Returns the number of tokens; if it is larger than `capacity`, nothing is
    // written.
    // Throws a Refusal if the model has no tokenizer.
    virtual size_t tokenize(const char * text, int32_t bytes, bool add_special, int32_t * tokens,
                            int32_t capacity) const = 0;

    // Decodes at positions first .. first+n-1 and appends their rows to `logits`. Earlier state of these positions is
    // discarded. Tokens and positions must be in range. Throws a Refusal on failure.
    virtual void decode(const int32_t * tokens, size_t n, size_t first, Logits & logits) = 0;
};

// Opens the engine selected by `params.graph`. The file at `path` must start with the GGUF magic, and `params` must be
// in range.
std::unique_ptr<Engine> open_engine(const char * path, const oracle_session_params & params, Observer observer);

} // namespace oracle
