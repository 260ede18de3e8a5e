// Activations in blocks of 256 with one f32 scale and sums of 16 codes: ggml's type Q8_K.
#pragma once

#include "status.hpp"

#include "ggml.h"

#include <cstring>
#include <vector>

namespace oracle {

constexpr size_t q8_k_block = 256;
constexpr size_t q8_k_sums = q8_k_block / 16;

// A row of blocks. A block has the scale, in ik_llama.cpp also the sum of all codes (f32), then the codes and the sums
// (i16). The size of the type shows which of the two layouts the library has.
class Q8KRow {
  public:
    explicit Q8KRow(size_t n_blocks) : bytes(ggml_type_size(GGML_TYPE_Q8_K)), data(n_blocks * bytes) {
        if (bytes != codes + q8_k_block + sums_bytes && bytes != 2 * codes + q8_k_block + sums_bytes) {
            refuse(ORACLE_UNSUPPORTED, "a block of q8_K has %zu bytes in this library, which is no known layout",
                   bytes);
        }
    }

    uint8_t * block(size_t i) { return data.data() + i * bytes; }

    void clear() { std::memset(data.data(), 0, data.size()); }

    // Sets a block with scale one. Returns the sum of the codes.
    int32_t set(size_t i, const int8_t * values) {
        uint8_t * const to = block(i);
        const float one = 1.0f;
        std::memcpy(to, &one, sizeof one);
        std::memcpy(to + codes_at(), values, q8_k_block);
        int32_t total = 0;
        for (size_t group = 0; group < q8_k_sums; ++group) {
            int16_t sum = 0;
            for (size_t j = 0; j < 16; ++j) {
                sum = static_cast<int16_t>(sum + values[group * 16 + j]);
            }
            std::memcpy(to + sums_at() + group * sizeof sum, &sum, sizeof sum);
            total += sum;
        }
        if (codes_at() > codes) {
            const float sum = static_cast<float>(total);
            std::memcpy(to + codes, &sum, sizeof sum);
        }
        return total;
    }

    // Reads the codes, the scale and the sums of a block.
    void get(size_t i, int8_t * values, float & scale, int32_t * sums) {
        const uint8_t * const from = block(i);
        std::memcpy(&scale, from, sizeof scale);
        std::memcpy(values, from + codes_at(), q8_k_block);
        for (size_t group = 0; group < q8_k_sums; ++group) {
            int16_t sum;
            std::memcpy(&sum, from + sums_at() + group * sizeof sum, sizeof sum);
            sums[group] = sum;
        }
    }

  private:
    static constexpr size_t codes = sizeof(float);
    static constexpr size_t sums_bytes = q8_k_sums * sizeof(int16_t);
    size_t sums_at() const { return bytes - sums_bytes; }
    size_t codes_at() const { return sums_at() - q8_k_block; }

    const size_t bytes;
    std::vector<uint8_t> data;
};

} // namespace oracle
