// The formats of the ABI and the corresponding types of upstream.
#pragma once

#include "status.hpp"

#include "ggml.h"

namespace oracle {

// The quantization of activations in the matmul of the weights.
enum class Activations { i8_s, q8_k, none };

struct Format {
    oracle_format_info info;
    ggml_type type;
    size_t alignment; // alignment of the widest scalar that upstream reads through a typed pointer
    Activations activations;
};

// I2_S has block size 1 in upstream's table, but its quantizer and its kernel both use groups of 128.
inline constexpr Format formats[] = {
    {{ORACLE_I2_S, "i2_s", 128, 128}, GGML_TYPE_I2_S, 1, Activations::i8_s},
    {{ORACLE_TQ2_0, "tq2_0", 256, 256}, GGML_TYPE_TQ2_0, 2, Activations::q8_k},
    {{ORACLE_TQ1_0, "tq1_0", 256, 256}, GGML_TYPE_TQ1_0, 2, Activations::q8_k},
    {{ORACLE_F16, "f16", 1, 1}, GGML_TYPE_F16, 2, Activations::none},
    {{ORACLE_F32, "f32", 1, 1}, GGML_TYPE_F32, 4, Activations::none},
    {{ORACLE_Q6_K, "q6_K", 256, 256}, GGML_TYPE_Q6_K, 2, Activations::q8_k},
};

inline const Format & format_of(oracle_format id) {
    for (const Format & format : formats) {
        if (format.info.format == id) {
            return format;
        }
    }
    refuse(ORACLE_UNSUPPORTED, "format %d is not known", static_cast<int>(id));
}

// NULL if the ABI has no format for the type.
inline const Format * format_of_type(ggml_type type) {
    for (const Format & format : formats) {
        if (format.type == type) {
            return &format;
        }
    }
    return nullptr;
}

inline void require_alignment(const Format & format, const void * pointer, const char * name) {
    if (reinterpret_cast<uintptr_t>(pointer) % format.alignment != 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s must be aligned to %zu bytes for %s", name, format.alignment, format.info.name);
    }
}

} // namespace oracle
