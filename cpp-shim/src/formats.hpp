// The formats of the ABI and the corresponding types of upstream.
#pragma once

#include "status.hpp"

#include "ggml.h"

#include <vector>

namespace oracle {

// The quantization of activations in the matmul of the weights. `other` is one that the ABI does not describe.
enum class Activations { i8_s, q8_k, none, other };

struct Format {
    oracle_format_info info;
    ggml_type type;
    size_t alignment; // alignment of the widest scalar that upstream reads through a typed pointer
    Activations activations;
};

// The formats of the ABI for which the running library has a type. Types are found by name: numbers differ between
// forks. Needs the instruction set of the library.
const std::vector<Format> & formats();

// The type of the library with this name, or GGML_TYPE_COUNT.
ggml_type type_named(const char * name);

// Throws a Refusal if the library has no type for the format.
const Format & format_of(oracle_format id);

// NULL if the ABI has no format for the type.
const Format * format_of_type(ggml_type type);

inline void require_alignment(const Format & format, const void * pointer, const char * name) {
    if (reinterpret_cast<uintptr_t>(pointer) % format.alignment != 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s must be aligned to %zu bytes for %s", name, format.alignment, format.info.name);
    }
}

} // namespace oracle
