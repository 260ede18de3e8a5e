// Errors inside the shim are exceptions. At the ABI they are converted to a status and a message.
#pragma once

#include "oracle.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace oracle {

struct Refusal {
    oracle_status status;
    std::string text;
};

[[noreturn]] __attribute__((format(printf, 2, 3))) inline void refuse(oracle_status status, const char * format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw Refusal{status, text};
}

inline oracle_status report(oracle_message * message, oracle_status status, const char * text) noexcept {
    if (message != nullptr) {
        message->length = 0;
        if (message->text != nullptr && message->capacity > 0) {
            while (text[message->length] != '\0' && message->length + 1 < message->capacity) {
                message->text[message->length] = text[message->length];
                ++message->length;
            }
            message->text[message->length] = '\0';
        }
    }
    return status;
}

// Runs `body` and catches all exceptions.
template <typename Body> oracle_status guarded(oracle_message * message, Body && body) noexcept {
    try {
        std::forward<Body>(body)();
        return report(message, ORACLE_OK, "");
    } catch (const Refusal & refusal) {
        return report(message, refusal.status, refusal.text.c_str());
    } catch (const std::bad_alloc &) {
        return report(message, ORACLE_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception & error) {
        return report(message, ORACLE_FAILED, error.what());
    } catch (...) {
        return report(message, ORACLE_FAILED, "an exception of unknown type");
    }
}

inline void require_pointer(const void * pointer, const char * name) {
    if (pointer == nullptr) {
        refuse(ORACLE_BAD_ARGUMENT, "%s is NULL", name);
    }
}

inline void require_positive(uint64_t value, const char * name) {
    if (value == 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s is 0, must be at least 1", name);
    }
}

// Upstream's limit; not all vintages declare it.
constexpr uint32_t max_threads = 512;

inline void require_threads(uint32_t threads) {
    if (threads < 1 || threads > max_threads) {
        refuse(ORACLE_BAD_ARGUMENT, "threads is %u, must be 1..%u", threads, max_threads);
    }
}

inline size_t product(uint64_t a, uint64_t b, const char * name) {
    size_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) {
        refuse(ORACLE_BAD_ARGUMENT, "%s overflows: %llu x %llu", name, static_cast<unsigned long long>(a),
               static_cast<unsigned long long>(b));
    }
    return result;
}

inline void require_length(size_t found, size_t needed, const char * name) {
    if (found != needed) {
        refuse(ORACLE_BAD_ARGUMENT, "%s has %zu elements, the shape needs %zu", name, found, needed);
    }
}

inline void require_capacity(size_t found, size_t needed, const char * name) {
    if (found < needed) {
        refuse(ORACLE_BAD_ARGUMENT, "%s holds %zu elements, %zu are needed", name, found, needed);
    }
}

} // namespace oracle
