// The dot kernels, called directly.
#include "backend.hpp"
#include "blocks.hpp"
#include "formats.hpp"
#include "operations.hpp"
#include "shapes.hpp"
#include "vintage.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace oracle {

namespace {

constexpr uint16_t half_one = 0x3C00;

// A NaN that no kernel computes. If it is still there after a call, the kernel wrote nothing.
constexpr uint32_t unwritten = 0x7FC0DEAD;

float call(const Format & format, int cols, const void * weights, const void * activations) {
    float result;
    std::memcpy(&result, &unwritten, sizeof result);
    vintage::dot_kernel(format.type)(cols, &result, 0, weights, 0, activations, 0, 1);
    if (std::memcmp(&result, &unwritten, sizeof result) == 0) {
        refuse(ORACLE_NO_ANSWER, "the %s dot kernel did not write a result", format.info.name);
    }
    return result;
}

// The kernel writes its integer as a float.
int64_t dot_as_integer(const Format & format, int cols, const void * weights, const void * activations) {
    const float result = call(format, cols, weights, activations);
    if (!(result == std::nearbyint(result) && std::fabs(result) <= 0x1p62f)) {
        refuse(ORACLE_FAILED, "the %s dot kernel returned %g, not an integer", format.info.name,
               static_cast<double>(result));
    }
    return static_cast<int64_t>(result);
}

// Dots of ternary blocks, whose last two bytes are their f16 scale. It is set to one, so that the float of the kernel
// is the integer.
void dot_ternary(const Format & format, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t row_stride,
                 const int8_t * activations, uint64_t batch, int64_t * out) {
    const BlockLayout & layout = *block_layout(Activations::q8_k);
    const uint64_t n_blocks = cols / layout.codes;
    const size_t block_bytes = ggml_type_size(format.type);
    const std::vector<float> ones(n_blocks, 1.0f);
    std::vector<uint8_t> block(block_bytes);
    BlockRow quantized(layout, cols);
    for (uint64_t b = 0; b < batch; ++b) {
        const int8_t * const row = activations + b * cols;
        quantized.set(row, ones.data());
        int64_t sum = 0;
        for (uint64_t c = 0; c < cols; ++c) {
            sum += row[c];
        }
        for (uint64_t r = 0; r < rows; ++r) {
            int64_t signed_dot = 0;
            for (uint64_t i = 0; i < n_blocks; ++i) {
                std::memcpy(block.data(), weights + r * row_stride + i * block_bytes, block_bytes);
                std::memcpy(block.data() + block_bytes - sizeof half_one, &half_one, sizeof half_one);
                signed_dot += dot_as_integer(format, static_cast<int>(layout.codes), block.data(), quantized.block(i));
            }
            // In these kernels codes are -1, 0, +1. In the ABI they start from 0.
            out[b * rows + r] = signed_dot + sum;
        }
    }
}

} // namespace

oracle_status code_dot(uint32_t id, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                       size_t row_stride, const int8_t * activations, size_t n_activations, uint64_t batch,
                       int64_t * out, size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        require_pointer(activations, "activations");
        require_pointer(out, "out");
        require_positive(batch, "batch");
        require_rows(format, cols, rows, weights, weights_bytes, row_stride);
        require_length(n_activations, product(batch, cols, "batch x cols"), "activations");
        require_length(n_out, product(batch, rows, "batch x rows"), "out");
        const char * name = format.info.name;
        const bool is_ternary = std::strcmp(name, "tq2_0") == 0 || std::strcmp(name, "tq1_0") == 0;
        if (!format.is_i2_s && !is_ternary) {
            refuse(ORACLE_UNSUPPORTED, "%s has no integer dot product of codes", name);
        }
        if (format.activations != (format.is_i2_s ? Activations::i8_s : Activations::q8_k)) {
            refuse(ORACLE_UNSUPPORTED, "this library multiplies %s with activations of type \"%s\", not with %s",
                   name, format.info.activations, format.is_i2_s ? "i8_s" : "q8_K");
        }
        start_backend();
        if (is_ternary) {
            dot_ternary(format, cols, rows, weights, row_stride, activations, batch, out);
            return;
        }
        for (uint64_t b = 0; b < batch; ++b) {
            for (uint64_t r = 0; r < rows; ++r) {
                out[b * rows + r] =
                    dot_as_integer(format, static_cast<int>(cols), weights + r * row_stride, activations + b * cols);
            }
        }
    });
}

oracle_status block_dot(uint32_t id, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                        size_t row_stride, const int8_t * codes, size_t n_codes, const float * scales, size_t n_scales,
                        uint64_t batch, float * out, size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        const BlockLayout * layout = block_layout(format.activations);
        if (!format.info.has_dot) {
            refuse(ORACLE_UNSUPPORTED, "this library has no dot kernel for %s", format.info.name);
        }
        if (layout == nullptr) {
            refuse(ORACLE_UNSUPPORTED,
                   "this library multiplies %s with activations of type \"%s\", not with q8_K, q8_0 or q8_1",
                   format.info.name, format.info.activations);
        }
        require_pointer(codes, "codes");
        require_pointer(scales, "scales");
        require_pointer(out, "out");
        require_positive(batch, "batch");
        require_rows(format, cols, rows, weights, weights_bytes, row_stride);
        require_length(n_codes, product(batch, cols, "batch x cols"), "codes");
        const uint64_t row_scales = cols / layout->codes * layout->scales;
        require_length(n_scales, product(batch, row_scales, "scales"), "scales");
        require_length(n_out, product(batch, rows, "batch x rows"), "out");
        start_backend();
        BlockRow row(*layout, cols);
        for (uint64_t b = 0; b < batch; ++b) {
            row.set(codes + b * cols, scales + b * row_scales);
            for (uint64_t r = 0; r < rows; ++r) {
                out[b * rows + r] = call(format, static_cast<int>(cols), weights + r * row_stride, row.block(0));
            }
        }
    });
}

} // namespace oracle
