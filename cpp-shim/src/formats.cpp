#include "formats.hpp"

#include "vintage.hpp"

#include <cstring>

namespace oracle {

namespace {

struct Entry {
    oracle_format_info info;
    size_t alignment;
};

// I2_S has block size 1 in upstream's table, but its quantizer and its kernel both use groups of 128.
constexpr Entry entries[] = {
    {{ORACLE_I2_S, "i2_s", 128, 128}, 1}, {{ORACLE_TQ2_0, "tq2_0", 256, 256}, 2},
    {{ORACLE_TQ1_0, "tq1_0", 256, 256}, 2}, {{ORACLE_F16, "f16", 1, 1}, 2},
    {{ORACLE_F32, "f32", 1, 1}, 4},         {{ORACLE_Q6_K, "q6_K", 256, 256}, 2},
};

Activations activations_of(ggml_type type) {
    if (!ggml_is_quantized(type)) {
        return Activations::none;
    }
    const ggml_type activations = vintage::activation_type(type);
    if (activations == GGML_TYPE_Q8_K) {
        return Activations::q8_k;
    }
    return activations < GGML_TYPE_COUNT && activations == type_named("i8_s") ? Activations::i8_s : Activations::other;
}

} // namespace

ggml_type type_named(const char * name) {
    for (int id = 0; id < GGML_TYPE_COUNT; ++id) {
        const ggml_type type = static_cast<ggml_type>(id);
        const char * found = ggml_type_name(type);
        if (found != nullptr && std::strcmp(found, name) == 0) {
            return type;
        }
    }
    return GGML_TYPE_COUNT;
}

const std::vector<Format> & formats() {
    static const std::vector<Format> found = [] {
        std::vector<Format> list;
        for (const Entry & entry : entries) {
            const ggml_type type = type_named(entry.info.name);
            if (type != GGML_TYPE_COUNT) {
                list.push_back({entry.info, type, entry.alignment, activations_of(type)});
            }
        }
        return list;
    }();
    return found;
}

const Format & format_of(oracle_format id) {
    for (const Format & format : formats()) {
        if (format.info.format == id) {
            return format;
        }
    }
    for (const Entry & entry : entries) {
        if (entry.info.format == id) {
            refuse(ORACLE_UNSUPPORTED, "this library has no type %s", entry.info.name);
        }
    }
    refuse(ORACLE_UNSUPPORTED, "format %d is not known", static_cast<int>(id));
}

const Format * format_of_type(ggml_type type) {
    for (const Format & format : formats()) {
        if (format.type == type) {
            return &format;
        }
    }
    return nullptr;
}

} // namespace oracle
