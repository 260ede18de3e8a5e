// What computes behind a session: upstream's own context, or a graph of upstream's operations that the shim builds.
#pragma once

#include "oracle.h"

#include "ggml-backend.h"
#include "llama.h"

#include <memory>
#include <vector>

namespace oracle {

// Who watches a computation.
struct Observer {
    // Told of every node.
    ggml_backend_sched_eval_callback on_node;
    // Whether nothing more need be computed. What is computed all the same must not reach the cache: it would be made
    // of nodes that were left out.
    ggml_abort_callback stopped;
    void * user;
};

// A row of n_vocab for every decoded position.
using Logits = std::vector<std::vector<float>>;

class Engine {
  public:
    virtual ~Engine() = default;

    virtual oracle_session_info info() const = 0;

    // The model that text is tokenized with; it need not have any tensors.
    virtual const llama_model * vocabulary() const = 0;

    // Decodes at positions first .. first+n-1 and appends their rows to `logits`. What stood there before is forgotten.
    // Tokens and positions are in range. A Refusal if it fails.
    virtual void decode(const int32_t * tokens, size_t n, size_t first, Logits & logits) = 0;
};

// The engine that `params.graph` asks for. `path` is a file that begins as GGUF files do, and `params` are in range.
std::unique_ptr<Engine> open_engine(const char * path, const oracle_session_params & params, Observer observer);

} // namespace oracle
