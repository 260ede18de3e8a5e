// A session by upstream's own means: its loader, its graph, its cache.
#pragma once

#include "engine.hpp"

namespace oracle {

std::unique_ptr<Engine> upstream_engine(const char * path, const oracle_session_params & params, Observer observer);

} // namespace oracle
