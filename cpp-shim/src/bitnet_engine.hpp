// An engine with a graph built by the shim.
#pragma once

#include "bitnet_model.hpp"
#include "engine.hpp"

namespace oracle {

// `architecture` must be that of `gguf`.
std::unique_ptr<Engine> bitnet_engine(std::unique_ptr<const Gguf> gguf, const BitnetArchitecture & architecture,
                                      const oracle_session_params & params, Observer observer);

} // namespace oracle
