// The functions in the table of oracle.h, which documents them.
#pragma once

#include "oracle.h"

namespace oracle {

oracle_status describe(const oracle_description ** description, oracle_message * message);

oracle_status tensor_bytes(uint32_t format, uint64_t rows, uint64_t cols, size_t * bytes, oracle_message * message);

oracle_status quantize(uint32_t format, uint64_t rows, uint64_t cols, const float * values, size_t n,
                       const float * importance, size_t n_importance, uint8_t * out, size_t capacity, size_t * written,
                       oracle_message * message);

oracle_status dequantize(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                         size_t row_stride, float * out, size_t n_out, oracle_message * message);

oracle_status quantize_activations(uint32_t format, uint64_t rows, uint64_t cols, const float * values, size_t n,
                                   int8_t * codes, size_t n_codes, float * scales, size_t n_scales, int32_t * sums,
                                   size_t n_sums, oracle_message * message);

oracle_status code_dot(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                       size_t row_stride, const int8_t * activations, size_t n_activations, uint64_t batch,
                       int64_t * out, size_t n_out, oracle_message * message);

oracle_status block_dot(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights, size_t weights_bytes,
                        size_t row_stride, const int8_t * codes, size_t n_codes, const float * scales, size_t n_scales,
                        uint64_t batch, float * out, size_t n_out, oracle_message * message);

oracle_status matmul(uint32_t format, uint64_t rows, uint64_t cols, const uint8_t * weights, size_t weights_bytes,
                     const float * activations, size_t n_activations, uint64_t batch, uint32_t threads, float * out,
                     size_t n_out, oracle_message * message);

oracle_status session_open(const char * path, const oracle_session_params * params, oracle_session ** session,
                           oracle_message * message);

void session_close(oracle_session * session);

oracle_status session_info(const oracle_session * session, oracle_session_info * info, oracle_message * message);

oracle_status session_decode(oracle_session * session, const int32_t * tokens, size_t n, uint64_t first,
                             oracle_node_callback callback, void * user, oracle_message * message);

oracle_status session_logits(const oracle_session * session, uint64_t position, const float ** logits, size_t * n,
                             oracle_message * message);

oracle_status session_tokenize(const oracle_session * session, const char * text, size_t text_bytes,
                               int32_t add_special, int32_t * tokens, size_t capacity, size_t * n,
                               oracle_message * message);

} // namespace oracle
