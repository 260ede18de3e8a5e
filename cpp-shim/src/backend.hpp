// Process-wide state of the implementation: its start-up and its log.
#pragma once

#include <string>

namespace oracle {

// Starts the backend on the first call in the process. Every operation calls it: the f16 tables are made here. The
// backend is never stopped, so that no session can pull it from under another.
void start_backend();

// Forgets what this thread has heard from the log.
void clear_log();

// The last error lines that this thread has heard since clear_log, on one line; `otherwise` if there was none.
std::string last_errors(const char * otherwise);

} // namespace oracle
