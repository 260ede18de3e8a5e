// Rows of quantized activations in ggml's block types Q8_K, Q8_0 and Q8_1.
#pragma once

#include "formats.hpp"
#include "status.hpp"

#include "ggml.h"

#include <cstring>
#include <vector>

namespace oracle {

// A block has its scales, in ik_llama.cpp's q8_K also the first scale times the sum of all codes (f32), then the codes
// and the sums of 16 codes (i16).
struct BlockLayout {
    ggml_type type;
    size_t codes;
    size_t scales;
    size_t scale_bytes; // 4 for f32, 2 for f16
    size_t sums;
};

// NULL for activations without blocks.
inline const BlockLayout * block_layout(Activations activations) {
    static constexpr BlockLayout q8_k{GGML_TYPE_Q8_K, 256, 1, 4, 16};
    static constexpr BlockLayout q8_0{GGML_TYPE_Q8_0, 32, 1, 2, 0};
    static constexpr BlockLayout q8_1{GGML_TYPE_Q8_1, 32, 2, 2, 0};
    switch (activations) {
        case Activations::q8_k: return &q8_k;
        case Activations::q8_0: return &q8_0;
        case Activations::q8_1: return &q8_1;
        default: return nullptr;
    }
}

// A row of `cols` activations, a multiple of the block.
class BlockRow {
  public:
    BlockRow(const BlockLayout & layout, uint64_t cols)
        : layout(layout), n_blocks(cols / layout.codes), bytes(ggml_type_size(layout.type)), data(n_blocks * bytes) {
        const size_t plain = layout.scales * layout.scale_bytes + layout.codes + layout.sums * sizeof(int16_t);
        // The size of the type shows which of the two layouts of q8_K the library has.
        has_total = layout.sums > 0 && bytes == plain + sizeof(float);
        if (bytes != plain && !has_total) {
            refuse(ORACLE_UNSUPPORTED, "a block of %s has %zu bytes in this library, which is no known layout",
                   ggml_type_name(layout.type), bytes);
        }
    }

    uint8_t * block(size_t i) { return data.data() + i * bytes; }

    void clear() { std::memset(data.data(), 0, data.size()); }

    // Sets all blocks. `scales` holds layout.scales numbers per block.
    void set(const int8_t * codes, const float * scales) {
        for (size_t i = 0; i < n_blocks; ++i) {
            set_block(i, codes + i * layout.codes, scales + i * layout.scales);
        }
    }

    // Reads all blocks.
    void get(int8_t * codes, float * scales, int32_t * sums) {
        for (size_t i = 0; i < n_blocks; ++i) {
            const uint8_t * const from = block(i);
            for (size_t j = 0; j < layout.scales; ++j) {
                scales[i * layout.scales + j] = scale(from + j * layout.scale_bytes);
            }
            std::memcpy(codes + i * layout.codes, from + codes_at(), layout.codes);
            for (size_t j = 0; j < layout.sums; ++j) {
                int16_t sum;
                std::memcpy(&sum, from + sums_at() + j * sizeof sum, sizeof sum);
                sums[i * layout.sums + j] = sum;
            }
        }
    }

  private:
    size_t sums_at() const { return bytes - layout.sums * sizeof(int16_t); }
    size_t codes_at() const { return sums_at() - layout.codes; }

    float scale(const uint8_t * from) const {
        if (layout.scale_bytes == sizeof(float)) {
            float value;
            std::memcpy(&value, from, sizeof value);
            return value;
        }
        ggml_fp16_t half;
        std::memcpy(&half, from, sizeof half);
        return ggml_fp16_to_fp32(half);
    }

    void set_scale(uint8_t * to, float value) const {
        if (layout.scale_bytes == sizeof(float)) {
            std::memcpy(to, &value, sizeof value);
            return;
        }
        const ggml_fp16_t half = ggml_fp32_to_fp16(value);
        if (ggml_fp16_to_fp32(half) != value) {
            refuse(ORACLE_BAD_ARGUMENT, "scale %.9g is no f16 number, which %s needs", static_cast<double>(value),
                   ggml_type_name(layout.type));
        }
        std::memcpy(to, &half, sizeof half);
    }

    void set_block(size_t i, const int8_t * codes, const float * scales) {
        uint8_t * const to = block(i);
        for (size_t j = 0; j < layout.scales; ++j) {
            set_scale(to + j * layout.scale_bytes, scales[j]);
        }
        std::memcpy(to + codes_at(), codes, layout.codes);
        int32_t total = 0;
        for (size_t group = 0; group < layout.sums; ++group) {
            const size_t length = layout.codes / layout.sums;
            int16_t sum = 0;
            for (size_t j = 0; j < length; ++j) {
                sum = static_cast<int16_t>(sum + codes[group * length + j]);
            }
            std::memcpy(to + sums_at() + group * sizeof sum, &sum, sizeof sum);
            total += sum;
        }
        if (has_total) {
            const float sum = scales[0] * static_cast<float>(total);
            std::memcpy(to + layout.scales * layout.scale_bytes, &sum, sizeof sum);
        }
    }

    const BlockLayout & layout;
    const size_t n_blocks;
    const size_t bytes;
    bool has_total;
    std::vector<uint8_t> data;
};

} // namespace oracle
