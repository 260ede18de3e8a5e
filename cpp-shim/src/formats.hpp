// The formats of the ABI: types of the library.
#pragma once

#include "status.hpp"

#include "ggml.h"

#include <vector>

namespace oracle {

// The quantization of activations in the matmul of the weights. `other` is one that the ABI does not describe.
enum class Activations { i8_s, q8_k, q8_0, q8_1, none, other };

struct Format {
    oracle_format_info info;
    ggml_type type;
    bool is_i2_s;     // rows are codes without scales; the tensor has one scale
    size_t alignment; // alignment of the widest scalar that upstream reads through a typed pointer
    Activations activations;
};

// Every type of the running library that the ABI lists. Types are found by name: numbers differ between forks.
const std::vector<Format> & formats();

// Throws a Refusal if the library has no such format.
const Format & format_of(uint32_t id);

// NULL if the ABI does not list the type.
const Format * format_of_type(ggml_type type);

inline void require_alignment(const Format & format, const void * pointer, const char * name) {
    if (reinterpret_cast<uintptr_t>(pointer) % format.alignment != 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s must be aligned to %zu bytes for %s", name, format.alignment, format.info.name);
    }
}

} // namespace oracle
