// Tensor operations: sizes, quantizers, the dot kernel and the matmul. All float arithmetic is that of upstream. Each
// function checks its arguments, because failed assertions of upstream abort the process.
#include "backend.hpp"
#include "formats.hpp"
#include "handles.hpp"
#include "operations.hpp"
#include "q8_k.hpp"
#include "vintage.hpp"

#include <climits>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

// The quantizer of bitnet.cpp's forks for the activations of I2_S, which no header of the library declares. NULL in
// other libraries.
extern "C" __attribute__((weak)) void quantize_row_i8_s(const float * values, void * codes, int64_t n, float * scale,
                                                        int32_t * sum);

namespace oracle {

namespace {

constexpr uint16_t half_one = 0x3C00;

// Upstream converts columns and rows to `int` in several places.
int to_int(uint64_t value, const char * name) {
    if (value > INT_MAX) {
        refuse(ORACLE_BAD_ARGUMENT, "%s is %llu, at most %d", name, static_cast<unsigned long long>(value), INT_MAX);
    }
    return static_cast<int>(value);
}

void require_whole_blocks(const Format & format, uint64_t cols) {
    if (cols % format.info.cols_multiple != 0) {
        refuse(ORACLE_BAD_ARGUMENT, "%s needs a multiple of %u columns, not %llu", format.info.name,
               format.info.cols_multiple, static_cast<unsigned long long>(cols));
    }
}

// Bytes of a tensor, computed by upstream.
size_t bytes_of(const Format & format, uint64_t rows, uint64_t cols) {
    require_positive(rows, "rows");
    require_positive(cols, "cols");
    to_int(rows, "rows");
    to_int(cols, "cols");
    const size_t n = product(rows, cols, "rows x cols");
    if (format.info.format == ORACLE_I2_S) {
        if (n % 4 != 0) {
            refuse(ORACLE_BAD_ARGUMENT, "i2_s packs 4 weights a byte: rows x cols = %zu must be a multiple of 4", n);
        }
    } else {
        require_whole_blocks(format, cols);
    }
    product(n, sizeof(float), "tensor bytes");
    ggml_tensor tensor{};
    tensor.type = format.type;
    tensor.ne[0] = static_cast<int64_t>(cols);
    tensor.ne[1] = static_cast<int64_t>(rows);
    tensor.ne[2] = tensor.ne[3] = 1;
    tensor.nb[0] = ggml_type_size(format.type);
    tensor.nb[1] = ggml_row_size(format.type, tensor.ne[0]);
    tensor.nb[2] = tensor.nb[3] = tensor.nb[1] * rows;
    return ggml_nbytes(&tensor);
}

// The kernel writes its integer as a float. A NaN in the result shows that the kernel wrote nothing.
int64_t dot_as_integer(const Format & format, int cols, const void * weights, const void * activations) {
    const auto dot = vintage::dot_kernel(format.type);
    float result = std::numeric_limits<float>::quiet_NaN();
    dot(cols, &result, 0, weights, 0, activations, 0, 1);
    if (std::isnan(result)) {
        refuse(ORACLE_NO_ANSWER, "the %s dot kernel did not write a result", format.info.name);
    }
    if (result != std::nearbyint(result) || std::fabs(result) > 0x1p62f) {
        refuse(ORACLE_FAILED, "the %s dot kernel returned %g, not an integer", format.info.name,
               static_cast<double>(result));
    }
    return static_cast<int64_t>(result);
}

// Dots of blocks of weights whose last two bytes are their f16 scale. It is set to one, so that the float of the kernel
// is the integer.
void dot_blocks(const Format & format, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t row_stride,
                const int8_t * activations, uint64_t batch, int64_t * out) {
    const uint64_t n_blocks = cols / q8_k_block;
    const size_t block_bytes = ggml_type_size(format.type);
    std::vector<uint8_t> block(block_bytes);
    Q8KRow quantized(n_blocks);
    for (uint64_t b = 0; b < batch; ++b) {
        int64_t sum = 0;
        for (uint64_t i = 0; i < n_blocks; ++i) {
            sum += quantized.set(i, activations + b * cols + i * q8_k_block);
        }
        for (uint64_t r = 0; r < rows; ++r) {
            int64_t signed_dot = 0;
            for (uint64_t i = 0; i < n_blocks; ++i) {
                std::memcpy(block.data(), weights + r * row_stride + i * block_bytes, block_bytes);
                std::memcpy(block.data() + block_bytes - sizeof half_one, &half_one, sizeof half_one);
                signed_dot += dot_as_integer(format, static_cast<int>(q8_k_block), block.data(), quantized.block(i));
            }
            // In these kernels codes are -1, 0, +1. In the ABI they start from 0.
            out[b * rows + r] = signed_dot + sum;
        }
    }
}

// Bytes of a row that the dot kernel reads: whole groups of 128 for I2_S, whole blocks for other formats.
size_t row_bytes(const Format & format, uint64_t cols) {
    return format.info.format == ORACLE_I2_S ? cols / format.info.block * (format.info.block / 4)
                                             : ggml_row_size(format.type, static_cast<int64_t>(cols));
}

// Rejects formats whose activations have another layout than the ABI describes.
void require_described(const Format & format) {
    if (format.activations == Activations::other) {
        refuse(ORACLE_UNSUPPORTED, "this library multiplies %s with activations of type %s, not with %s",
               format.info.name, ggml_type_name(vintage::activation_type(format.type)),
               format.info.format == ORACLE_I2_S ? "i8_s" : "q8_K");
    }
}

void quantize_q8_k(uint64_t rows, uint64_t cols, const float * values, int8_t * codes, float * scales,
                   int32_t * sums) {
    const auto from_float = vintage::activation_quantizer(GGML_TYPE_Q8_K);
    const uint64_t n_blocks = cols / q8_k_block;
    Q8KRow row(n_blocks);
    for (uint64_t r = 0; r < rows; ++r) {
        // Upstream does not write the sums of an all-zero block.
        row.clear();
        from_float(values + r * cols, row.block(0), static_cast<int64_t>(cols));
        for (uint64_t i = 0; i < n_blocks; ++i) {
            const uint64_t block = r * n_blocks + i;
            row.get(i, codes + block * q8_k_block, scales[block], sums + block * q8_k_sums);
        }
    }
}

// Memory of matmuls, which a thread reuses.
struct Arena {
    std::unique_ptr<std::max_align_t[]> graph;
    size_t graph_bytes = 0;
    std::vector<uint8_t> work;
};

constexpr size_t graph_size = 8; // two leaves, one node, and space for the hash set

Arena & arena() {
    thread_local Arena memory;
    if (memory.graph == nullptr) {
        memory.graph_bytes = 3 * ggml_tensor_overhead() + ggml_graph_overhead_custom(graph_size, false);
        memory.graph.reset(new std::max_align_t[memory.graph_bytes / sizeof(std::max_align_t) + 1]);
    }
    return memory;
}

} // namespace

oracle_status tensor_bytes(oracle_format id, uint64_t rows, uint64_t cols, size_t * bytes, oracle_message * message) {
    return guarded(message, [&] {
        require_pointer(bytes, "bytes");
        *bytes = bytes_of(format_of(id), rows, cols);
    });
}

oracle_status quantize(oracle_format id, uint64_t rows, uint64_t cols, const float * values, size_t n, uint8_t * out,
                       size_t capacity, size_t * written, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        require_pointer(values, "values");
        require_pointer(out, "out");
        require_pointer(written, "written");
        const size_t bytes = bytes_of(format, rows, cols);
        require_length(n, product(rows, cols, "rows x cols"), "values");
        to_int(n, "rows x cols");
        require_capacity(capacity, bytes, "out");
        require_alignment(format, out, "out");
        start_backend();
        std::memset(out, 0, bytes);
        vintage::quantize(format.type, values, out, static_cast<int64_t>(rows), static_cast<int64_t>(cols));
        *written = bytes;
    });
}

oracle_status quantize_activations(oracle_format id, uint64_t rows, uint64_t cols, const float * values, size_t n,
                                   int8_t * codes, size_t n_codes, float * scales, size_t n_scales, int32_t * sums,
                                   size_t n_sums, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        if (format.activations == Activations::none) {
            refuse(ORACLE_UNSUPPORTED, "activations stay floats for %s weights", format.info.name);
        }
        require_described(format);
        require_pointer(values, "values");
        require_pointer(codes, "codes");
        require_pointer(scales, "scales");
        require_pointer(sums, "sums");
        require_positive(rows, "rows");
        require_positive(cols, "cols");
        to_int(cols, "cols");
        require_length(n, product(rows, cols, "rows x cols"), "values");
        require_capacity(n_codes, n, "codes");
        start_backend();
        if (format.activations == Activations::q8_k) {
            require_whole_blocks(format, cols);
            require_capacity(n_scales, n / q8_k_block, "scales");
            require_capacity(n_sums, n / q8_k_block * q8_k_sums, "sums");
            quantize_q8_k(rows, cols, values, codes, scales, sums);
            return;
        }
        require_capacity(n_scales, rows, "scales");
        require_capacity(n_sums, rows, "sums");
        if (quantize_row_i8_s == nullptr) {
            refuse(ORACLE_UNSUPPORTED, "this library does not export its quantizer of activations for i2_s");
        }
        for (uint64_t r = 0; r < rows; ++r) {
            quantize_row_i8_s(values + r * cols, codes + r * cols, static_cast<int64_t>(cols), scales + r, sums + r);
        }
    });
}

oracle_status code_dot(oracle_format id, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                       size_t row_stride, const int8_t * activations, size_t n_activations, uint64_t batch,
                       int64_t * out, size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        require_pointer(weights, "weights");
        require_pointer(activations, "activations");
        require_pointer(out, "out");
        require_positive(rows, "rows");
        require_positive(cols, "cols");
        require_positive(batch, "batch");
        const int n = to_int(cols, "cols");
        require_length(n_activations, product(batch, cols, "batch x cols"), "activations");
        require_length(n_out, product(batch, rows, "batch x rows"), "out");
        if (format.info.format != ORACLE_I2_S) {
            require_whole_blocks(format, cols);
        }
        const size_t last_row = product(rows - 1, row_stride, "rows x row_stride");
        const size_t row = row_bytes(format, cols);
        if (weights_bytes < last_row || weights_bytes - last_row < row) {
            refuse(ORACLE_BAD_ARGUMENT, "weights has %zu bytes, the last of the rows ends at %zu + %zu", weights_bytes,
                   last_row, row);
        }
        require_described(format);
        start_backend();
        switch (format.info.format) {
            case ORACLE_I2_S:
                for (uint64_t b = 0; b < batch; ++b) {
                    for (uint64_t r = 0; r < rows; ++r) {
                        out[b * rows + r] =
                            dot_as_integer(format, n, weights + r * row_stride, activations + b * cols);
                    }
                }
                return;
            case ORACLE_TQ2_0:
            case ORACLE_TQ1_0: return dot_blocks(format, cols, rows, weights, row_stride, activations, batch, out);
            default: refuse(ORACLE_UNSUPPORTED, "%s has no integer dot product of codes", format.info.name);
        }
    });
}

oracle_status matmul(oracle_format id, uint64_t rows, uint64_t cols, const uint8_t * weights, size_t weights_bytes,
                     const float * activations, size_t n_activations, uint64_t batch, uint32_t threads, float * out,
                     size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        require_pointer(weights, "weights");
        require_pointer(activations, "activations");
        require_pointer(out, "out");
        require_positive(batch, "batch");
        require_capacity(weights_bytes, bytes_of(format, rows, cols), "weights");
        if (cols % 4 != 0 && format.info.format == ORACLE_I2_S) {
            refuse(ORACLE_BAD_ARGUMENT, "a row of i2_s starts at a whole byte: cols must be a multiple of 4");
        }
        require_length(n_activations, product(batch, cols, "batch x cols"), "activations");
        require_length(n_out, product(batch, rows, "batch x rows"), "out");
        to_int(batch, "batch");
        require_threads(threads);
        require_alignment(format, weights, "weights");
        start_backend();

        Arena & memory = arena();
        const Tensors context(ggml_init({memory.graph_bytes, memory.graph.get(), /* no_alloc */ true}));
        if (context == nullptr) {
            refuse(ORACLE_FAILED, "upstream's compute contexts are all in use");
        }
        ggml_tensor * matrix = ggml_new_tensor_2d(context.get(), format.type, static_cast<int64_t>(cols),
                                                  static_cast<int64_t>(rows));
        ggml_tensor * input = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, static_cast<int64_t>(cols),
                                                 static_cast<int64_t>(batch));
        ggml_tensor * output = ggml_mul_mat(context.get(), matrix, input);
        // mul_mat only reads its sources. Upstream's tensors have no const data.
        matrix->data = const_cast<uint8_t *>(weights);
        input->data = const_cast<float *>(activations);
        output->data = out;

        ggml_cgraph * graph = ggml_new_graph_custom(context.get(), graph_size, false);
        ggml_build_forward_expand(graph, output);
        ggml_cplan plan = vintage::plan(graph, static_cast<int>(threads));
        if (memory.work.size() < plan.work_size) {
            memory.work.resize(plan.work_size);
        }
        plan.work_data = memory.work.data();
        const ggml_status status = ggml_graph_compute(graph, &plan);
        if (status != GGML_STATUS_SUCCESS) {
            refuse(ORACLE_FAILED, "the graph executor returned %s", ggml_status_to_string(status));
        }
    });
}

} // namespace oracle
