// An engine with the loader, the graph and the cache of upstream.
#pragma once

#include "engine.hpp"

namespace oracle {

std::unique_ptr<Engine> upstream_engine(const char * path, const oracle_session_params & params, Observer observer);

} // namespace oracle
