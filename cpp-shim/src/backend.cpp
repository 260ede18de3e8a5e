#include "backend.hpp"

#include "vintage.hpp"
#if __has_include("llama.h")
#include "llama.h"
#endif

#include "status.hpp"

#include <cstring>
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

void require_own_headers() {
    // What ggml adds to a tensor: two sizes, a pointer and a type.
    struct Object {
        size_t offset;
        size_t size;
        void * next;
        int32_t type;
    };
    const size_t tensor = ggml_tensor_overhead() - sizeof(Object);
    if (tensor != sizeof(ggml_tensor)) {
        refuse(ORACLE_FAILED,
               "the headers do not belong to the library: a tensor has %zu bytes in them, %zu in the library",
               sizeof(ggml_tensor), tensor);
    }
    struct Known {
        ggml_type type;
        const char * name;
    };
    for (const Known & known : {Known{GGML_TYPE_F32, "f32"}, Known{GGML_TYPE_F16, "f16"}, Known{GGML_TYPE_Q6_K, "q6_K"},
                                Known{GGML_TYPE_Q8_K, "q8_K"}, Known{GGML_TYPE_I32, "i32"}}) {
        const char * name = ggml_type_name(known.type);
        if (name == nullptr || std::strcmp(name, known.name) != 0) {
            refuse(ORACLE_FAILED, "the headers do not belong to the library: type %d is %s in them, %s in the library",
                   static_cast<int>(known.type), known.name, name == nullptr ? "none" : name);
        }
    }
#if __has_include("llama.h")
    // The default type of the cache lies in the middle of the structure.
    const llama_context_params params = llama_context_default_params();
    if (params.type_k != GGML_TYPE_F16 || params.type_v != GGML_TYPE_F16 || params.cb_eval != nullptr) {
        refuse(ORACLE_FAILED, "the headers do not belong to the library: it has other context parameters");
    }
#endif
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
