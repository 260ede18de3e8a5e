#include "engine.hpp"

#include "bitnet_engine.hpp"
#include "upstream_engine.hpp"

namespace oracle {

std::unique_ptr<Engine> open_engine(const char * path, const oracle_session_params & params, Observer observer) {
    auto gguf = std::make_unique<const Gguf>(path);
    const std::string name = gguf->string("general.architecture", "");
    const BitnetArchitecture * architecture = bitnet_architecture(name);
    if (params.graph == ORACLE_GRAPH_OPS && architecture == nullptr) {
        refuse(ORACLE_UNSUPPORTED, "%s: no graph of operations is put together for architecture %s", path,
               name.c_str());
    }
    const bool own = architecture != nullptr && (params.graph == ORACLE_GRAPH_OPS || !architecture->upstream);
    if (own) {
        return bitnet_engine(std::move(gguf), *architecture, params, observer);
    }
    // Upstream reads the metadata again.
    gguf.reset();
    return upstream_engine(path, params, observer);
}

} // namespace oracle
