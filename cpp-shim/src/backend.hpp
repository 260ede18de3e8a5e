// Process-wide state of upstream: initialization and log.
#pragma once

#include <string>

namespace oracle {

// Initializes the backend on the first call in the process. Every operation calls it, because it creates the f16
// tables. The backend is never stopped, because other sessions may use it.
void start_backend();

// Rejects a library to which the headers do not belong that this file was compiled with: it has tensors of another
// size, other numbers of types, or other parameters of contexts.
void require_own_headers();

// Clears the log of this thread.
void clear_log();

// The last errors in the log of this thread since clear_log, as one line; `otherwise` if there are none.
std::string last_errors(const char * otherwise);

} // namespace oracle
