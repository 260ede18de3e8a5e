// Tensor operations: sizes, quantizers and the matmul. All float arithmetic is that of upstream. Each function checks
// its arguments, because failed assertions of upstream abort the process.
#include "backend.hpp"
#include "blocks.hpp"
#include "formats.hpp"
#include "handles.hpp"
#include "operations.hpp"
#include "shapes.hpp"
#include "vintage.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

// The quantizer of bitnet.cpp's forks for the activations of I2_S, which no header of the library declares. NULL in
// other libraries.
extern "C" __attribute__((weak)) void quantize_row_i8_s(const float * values, void * codes, int64_t n, float * scale,
                                                        int32_t * sum);

namespace oracle {

namespace {

// Bytes of a tensor, computed by upstream.
size_t bytes_of(const Format & format, uint64_t rows, uint64_t cols) {
    require_positive(rows, "rows");
    require_positive(cols, "cols");
    to_int(rows, "rows");
    to_int(cols, "cols");
    const size_t n = product(rows, cols, "rows x cols");
    if (format.is_i2_s) {
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

void quantize_blocks(const BlockLayout & layout, uint64_t rows, uint64_t cols, const float * values, int8_t * codes,
                     float * scales, int32_t * sums) {
    const auto from_float = vintage::activation_quantizer(layout.type);
    const uint64_t n_blocks = cols / layout.codes;
    BlockRow row(layout, cols);
    for (uint64_t r = 0; r < rows; ++r) {
        // Upstream does not write the sums of an all-zero block.
        row.clear();
        from_float(values + r * cols, row.block(0), static_cast<int64_t>(cols));
        row.get(codes + r * cols, scales + r * n_blocks * layout.scales, sums + r * n_blocks * layout.sums);
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

oracle_status tensor_bytes(uint32_t id, uint64_t rows, uint64_t cols, size_t * bytes, oracle_message * message) {
    return guarded(message, [&] {
        require_pointer(bytes, "bytes");
        *bytes = bytes_of(format_of(id), rows, cols);
    });
}

oracle_status quantize(uint32_t id, uint64_t rows, uint64_t cols, const float * values, size_t n,
                       const float * importance, size_t n_importance, uint8_t * out, size_t capacity, size_t * written,
                       oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        if (!format.info.has_quantizer) {
            refuse(ORACLE_UNSUPPORTED, "this library has no quantizer for %s", format.info.name);
        }
        require_pointer(values, "values");
        require_pointer(out, "out");
        require_pointer(written, "written");
        const size_t bytes = bytes_of(format, rows, cols);
        require_length(n, product(rows, cols, "rows x cols"), "values");
        to_int(n, "rows x cols");
        if (importance == nullptr && format.info.needs_importance) {
            refuse(ORACLE_BAD_ARGUMENT, "importance is NULL: the quantizer of %s needs one value per column",
                   format.info.name);
        }
        require_length(n_importance, importance == nullptr ? 0 : cols, "importance");
        require_capacity(capacity, bytes, "out");
        require_alignment(format, out, "out");
        start_backend();
        std::memset(out, 0, bytes);
        vintage::quantize(format.type, values, out, static_cast<int64_t>(rows), static_cast<int64_t>(cols), importance);
        *written = bytes;
    });
}

oracle_status dequantize(uint32_t id, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                         size_t row_stride, float * out, size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        if (!format.info.has_to_float) {
            refuse(ORACLE_UNSUPPORTED, "this library does not convert rows of %s to floats", format.info.name);
        }
        require_pointer(out, "out");
        require_rows(format, cols, rows, weights, weights_bytes, row_stride);
        require_length(n_out, product(rows, cols, "rows x cols"), "out");
        start_backend();
        const auto to_float = vintage::base_traits(format.type).to_float;
        for (uint64_t r = 0; r < rows; ++r) {
            to_float(weights + r * row_stride, out + r * cols, static_cast<int64_t>(cols));
        }
    });
}

oracle_status quantize_activations(uint32_t id, uint64_t rows, uint64_t cols, const float * values, size_t n,
                                   int8_t * codes, size_t n_codes, float * scales, size_t n_scales, int32_t * sums,
                                   size_t n_sums, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        const BlockLayout * layout = block_layout(format.activations);
        if (layout == nullptr && format.activations != Activations::i8_s) {
            refuse(ORACLE_UNSUPPORTED,
                   "this library multiplies %s with activations of type \"%s\", not with i8_s, q8_K, q8_0 or q8_1",
                   format.info.name, format.info.activations);
        }
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
        if (layout != nullptr) {
            require_whole_blocks(format, cols);
            require_capacity(n_scales, n / layout->codes * layout->scales, "scales");
            require_capacity(n_sums, n / layout->codes * layout->sums, "sums");
            quantize_blocks(*layout, rows, cols, values, codes, scales, sums);
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

oracle_status matmul(uint32_t id, uint64_t rows, uint64_t cols, const uint8_t * weights, size_t weights_bytes,
                     const float * activations, size_t n_activations, uint64_t batch, uint32_t threads, float * out,
                     size_t n_out, oracle_message * message) {
    return guarded(message, [&] {
        const Format & format = format_of(id);
        require_pointer(weights, "weights");
        require_pointer(activations, "activations");
        require_pointer(out, "out");
        require_positive(batch, "batch");
        require_capacity(weights_bytes, bytes_of(format, rows, cols), "weights");
        if (cols % 4 != 0 && format.is_i2_s) {
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
