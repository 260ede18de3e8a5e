// Checks of the shapes of tensors. Failed assertions of upstream abort the process.
#pragma once

#include "formats.hpp"
#include "status.hpp"

#include "ggml.h"

#include <climits>

namespace oracle {

// Upstream converts columns and rows to `int` in several places.
inline int to_int(uint64_t value, const char * name) {
    if (value > INT_MAX) {
        refuse(ORACLE_BAD_ARGUMENT, "%s is %llu, at most %d", name, static_cast<unsigned long long>(value), INT_MAX);
    }
    return static_cast<int>(value);
}

inline void require_whole_blocks(const Format & format, uint64_t cols) {
    if (cols % format.info.cols_multiple != 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s needs a multiple of %u columns, not %llu", format.info.name,
               format.info.cols_multiple, static_cast<unsigned long long>(cols));
    }
}

// Requires rows of `cols` weights, row_stride bytes apart, which end within weights_bytes. I2_S may have incomplete
// groups.
inline void require_rows(const Format & format, uint64_t cols, uint64_t rows, const uint8_t * weights,
                         size_t weights_bytes, size_t row_stride) {
    require_pointer(weights, "weights");
    require_positive(rows, "rows");
    require_positive(cols, "cols");
    to_int(cols, "cols");
    if (!format.is_i2_s) {
        require_whole_blocks(format, cols);
    }
    // What the dot kernel reads: whole groups of 128 for I2_S, whole blocks for other formats.
    const size_t row = format.is_i2_s ? cols / format.info.block * (format.info.block / 4)
                                      : ggml_row_size(format.type, static_cast<int64_t>(cols));
    const size_t last_row = product(rows - 1, row_stride, "rows x row_stride");
    if (weights_bytes < last_row || weights_bytes - last_row < row) {
        refuse(ORACLE_BAD_ARGUMENT, "weights has %zu bytes, the last of the rows ends at %zu + %zu", weights_bytes,
               last_row, row);
    }
}

} // namespace oracle
