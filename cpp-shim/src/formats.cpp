#include "formats.hpp"

#include "vintage.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace oracle {

namespace {

// Upstream's table has block size 1 for I2_S, but its quantizer and its kernel both use groups of 128.
constexpr uint32_t i2_s_group = 128;

bool is(const char * name, const char * other) {
    return std::strcmp(name, other) == 0;
}

// The name of a type, "" for a number without a type.
const char * name_of(ggml_type type) {
    const char * name = type < GGML_TYPE_COUNT ? ggml_type_name(type) : nullptr;
    return name == nullptr ? "" : name;
}

Activations activations_named(const char * name) {
    if (is(name, "f32") || is(name, "f16") || is(name, "bf16")) {
        return Activations::none;
    }
    return is(name, "q8_K")   ? Activations::q8_k
           : is(name, "q8_0") ? Activations::q8_0
           : is(name, "q8_1") ? Activations::q8_1
           : is(name, "i8_s") ? Activations::i8_s
                              : Activations::other;
}

// Types of ik_llama.cpp that interleave several rows: their names end with _r and the number of rows.
bool interleaves_rows(const char * name) {
    const char * end = std::strrchr(name, '_');
    return end != nullptr && end[1] == 'r' && std::isdigit(static_cast<unsigned char>(end[2]));
}

// A kernel of floats for a type of fewer bits is a placeholder (TL1 and TL2 of bitnet.cpp).
bool has_own_kernel(ggml_type type) {
    const auto kernel = vintage::dot_kernel(type);
    return kernel != nullptr && (type == GGML_TYPE_F32 || kernel != vintage::dot_kernel(GGML_TYPE_F32));
}

// Whether ggml_quantize_chunk has a case for a type; without one it aborts. The tables of upstream do not tell for the
// types that are named here.
bool has_quantizer(const Format & format) {
    if (format.is_i2_s) {
        return format.activations == Activations::i8_s; // bitnet.cpp and its forks
    }
    return vintage::base_traits(format.type).from_float_ref != nullptr ||
           ggml_quantize_requires_imatrix(format.type) || format.type == GGML_TYPE_F32 ||
           is(format.info.name, "iq1_m");
}

Format described(ggml_type type, const char * name) {
    Format format{};
    format.type = type;
    format.is_i2_s = is(name, "i2_s");
    const ggml_type activations = vintage::activation_type(type);
    const auto block = static_cast<uint32_t>(ggml_blck_size(type));
    const size_t bytes = ggml_type_size(type);
    const bool row_has_scale = ggml_row_size(type, block) != bytes; // in ik_llama.cpp, an f32 before the blocks
    oracle_format_info & info = format.info;
    info.name = name;
    info.format = static_cast<uint32_t>(type);
    info.block = format.is_i2_s ? i2_s_group : block;
    info.block_bytes = format.is_i2_s || row_has_scale ? 0 : static_cast<uint32_t>(bytes);
    info.activations = name_of(activations);
    info.cols_multiple = info.block;
    if (info.activations[0] != '\0') {
        info.cols_multiple = std::max(info.block, static_cast<uint32_t>(ggml_blck_size(activations)));
    }
    format.alignment = type == GGML_TYPE_F32 || row_has_scale ? 4 : bytes % 2 == 0 ? 2 : 1;
    format.activations = activations_named(info.activations);
    // A row of I2_S has no scale, so it has no values.
    info.has_to_float = vintage::base_traits(type).to_float != nullptr && !format.is_i2_s;
    info.has_quantizer = has_quantizer(format);
    info.needs_importance = ggml_quantize_requires_imatrix(type);
    info.has_dot = has_own_kernel(type);
    return format;
}

} // namespace

const std::vector<Format> & formats() {
    static const std::vector<Format> found = [] {
        std::vector<Format> list;
        for (int id = 0; id < GGML_TYPE_COUNT; ++id) {
            const ggml_type type = static_cast<ggml_type>(id);
            const char * name = name_of(type);
            if (name[0] == '\0' || ggml_blck_size(type) <= 0 || interleaves_rows(name)) {
                continue;
            }
            const Format format = described(type, name);
            if (format.info.has_to_float || format.info.has_dot || format.is_i2_s) {
                list.push_back(format);
            }
        }
        return list;
    }();
    return found;
}

const Format & format_of(uint32_t id) {
    for (const Format & format : formats()) {
        if (format.info.format == id) {
            return format;
        }
    }
    refuse(ORACLE_UNSUPPORTED, "this library has no weights of type %u", id);
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
