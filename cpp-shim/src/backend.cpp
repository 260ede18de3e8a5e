#include "backend.hpp"

#include "llama.h"

#include <mutex>

namespace oracle {

namespace {

constexpr size_t log_limit = 400;

// Errors are logged on the calling thread, so one buffer per thread separates the sessions of several threads.
thread_local std::string log_tail;
thread_local ggml_log_level log_level = GGML_LOG_LEVEL_NONE;

void keep_errors(ggml_log_level level, const char * text, void *) {
    if (level != GGML_LOG_LEVEL_CONT) {
        log_level = level;
    }
    if (log_level != GGML_LOG_LEVEL_ERROR) {
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
        llama_log_set(keep_errors, nullptr);
        llama_backend_init();
    });
}

void clear_log() {
    log_tail.clear();
    log_level = GGML_LOG_LEVEL_NONE;
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
