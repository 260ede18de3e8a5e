#include "backend.hpp"

#include "vintage.hpp"
#if __has_include("llama.h")
#include "llama.h"
#endif

#include <mutex>

namespace oracle {

namespace {

constexpr size_t log_limit = 400;

// Errors are logged on the calling thread, so one buffer per thread separates the sessions of several threads.
thread_local std::string log_tail;
// Whether the current line is an error.
thread_local bool in_error = false;

void keep_errors(ggml_log_level level, const char * text, void *) {
    // Another level, which not all vintages have, continues the line before.
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: in_error = true; break;
        case GGML_LOG_LEVEL_WARN:
        case GGML_LOG_LEVEL_INFO:
        case GGML_LOG_LEVEL_DEBUG: in_error = false; break;
        default: break;
    }
    if (!in_error) {
        return;
    }
    try {
        log_tail += text;
        if (log_tail.size() > log_limit) {
            log_tail.erase(0, log_tail.size() - log_limit);
        }
    } catch (...) {
        // The caller does not handle exceptions, so the log line is dropped.
    }
}

} // namespace

void start_backend() {
    static std::once_flag started;
    std::call_once(started, [] {
#if __has_include("llama.h")
        llama_log_set(keep_errors, nullptr);
        llama_backend_init();
#else
        ggml_log_set(keep_errors, nullptr);
#endif
#if __has_include("ggml-cpu.h")
        ggml_cpu_init();
#endif
    });
}

void clear_log() {
    log_tail.clear();
    in_error = false;
}

std::string last_errors(const char * otherwise) {
    std::string line;
    for (const char character : log_tail) {
        if (character != '\n') {
            line += character;
        } else if (!line.empty()) {
            line += "; ";
        }
    }
    while (!line.empty() && (line.back() == ' ' || line.back() == ';')) {
        line.pop_back();
    }
    return line.empty() ? otherwise : line;
}

} // namespace oracle
