/* The C ABI of an oracle: an implementation of quantization and inference with which another one is compared.
 *
 * The ABI is independent of the implementation. An oracle is a shared object that exports one symbol, oracle_entry,
 * which returns a table of functions. These rules hold for every function of the table:
 *
 * - It returns an oracle_status. For any status except ORACLE_OK the results are undefined unless the comment of the
 *   function defines them, and `message` (which may be NULL) receives one line of text.
 * - It does not throw exceptions. It does not keep pointers from its arguments after it has returned.
 * - The caller owns all buffers. A length counts elements of the pointer's type, so bytes for uint8_t. If a buffer is
 *   too short, the function returns ORACLE_BAD_ARGUMENT and does not write to it. Buffers do not overlap.
 * - Matrices are row-major: `rows` rows of `cols` contiguous weights. A batch is `batch` rows of `cols` activations.
 * - A `format` is the number of a type in the oracle's own list, oracle_description.formats. Two oracles may number the
 *   same type differently, so types are identified by name across oracles. ORACLE_UNSUPPORTED for any other number.
 * - Functions may be called from several threads at once, but a session only from one thread at a time.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Incremented with every change of this header that breaks older callers. */
#define ORACLE_ABI_VERSION 5u

enum oracle_status {
    ORACLE_OK = 0,
    ORACLE_BAD_ARGUMENT = 1,  /* the operation does not accept a pointer, length, shape or value */
    ORACLE_UNSUPPORTED = 2,   /* the request is valid, but the oracle does not implement it */
    ORACLE_NO_ANSWER = 3,     /* the oracle's kernel returned without writing a result */
    ORACLE_OUT_OF_MEMORY = 4,
    ORACLE_FILE = 5,          /* a model file cannot be opened or is not a model */
    ORACLE_FAILED = 6,        /* the implementation reported an error */
    ORACLE_STOPPED = 7        /* the caller's callback stopped the operation */
};

/* The buffer for a function's message. `text` has `capacity` bytes and is NUL-terminated on return if capacity > 0.
 * Longer messages are truncated. `length` is set to the number of bytes written, without the NUL. */
struct oracle_message {
    char * text;
    size_t capacity;
    size_t length;
};

/* How the weights of a tensor are stored: a type of the library. The flags are 0 or 1. Strings are static and never
 * NULL. */
struct oracle_format_info {
    const char * name;        /* the library's name, e.g. "q4_K" */
    uint32_t format;          /* the library's number of the type, in calls and in model files */
    uint32_t block;           /* number of weights that are packed together */
    uint32_t block_bytes;     /* bytes of a block; 0 if the size of a tensor is not that of its blocks */
    uint32_t cols_multiple;   /* the dot product of a row is defined for multiples of this number of columns */
    const char * activations; /* name of the type to which a matmul converts activations, e.g. "q8_K"; "" if unknown */
    uint8_t has_to_float;     /* dequantize is supported */
    uint8_t has_quantizer;    /* quantize is supported */
    uint8_t needs_importance; /* quantize needs importances */
    uint8_t has_dot;          /* the library has a dot kernel for rows of the type */
};

/* The identity of the oracle and its build. Every string is NUL-terminated, static and never NULL. */
struct oracle_description {
    const char * id;              /* e.g. "bitnet.cpp/strict" */
    const char * upstream;        /* the project of the source */
    const char * version;         /* version of the source, or "local" with its commit */
    const char * checksum;        /* sha256 of the source, hexadecimal */
    const char * compiler;
    const char * flags;           /* compiler flags of the files with arithmetic, separated by spaces */
    const char * instruction_set; /* required CPU features, separated by spaces */
    /* Every type of the library whose rows are weights. Types for activations only, integers, and types that interleave
     * rows are left out. */
    const struct oracle_format_info * formats;
    size_t n_formats;
};

struct oracle_session; /* an open model with a context for decoding */

/* The source of a model's graph. In both cases the graph consists of the implementation's operations and runs in the
 * implementation's executor. */
enum oracle_graph {
    ORACLE_GRAPH_AUTO = 1, /* the implementation's graph, or the oracle's if it has none for the architecture */
    ORACLE_GRAPH_OPS = 2   /* always the oracle's graph, for comparison with that of the implementation */
};

struct oracle_session_params {
    uint32_t n_ctx;    /* maximum number of positions, at least 1; the oracle may round it up */
    uint32_t n_batch;  /* maximum number of tokens per decode, at least 1 */
    uint32_t n_ubatch; /* maximum number of tokens computed at once, 1..n_batch */
    uint32_t n_threads;
    uint32_t kv_format; /* element type of the key-value cache: the format f16 or f32 */
    enum oracle_graph graph;
};

struct oracle_session_info {
    uint32_t n_vocab;
    uint32_t n_ctx;
    uint32_t n_batch;
    uint32_t n_layer;
    uint32_t n_embd;
    const char * graph; /* short description of the graph's source; static, never NULL */
};

/* A tensor of the compute graph, right after it was computed. All pointers are valid only during the callback. */
struct oracle_node {
    const char * name;
    const char * op;      /* the operation that computed it, e.g. "MUL_MAT" */
    const char * element; /* element type, e.g. "f32" */
    const char * const * inputs; /* names of the n_inputs operands, including weights */
    size_t n_inputs;
    int64_t ne[4];        /* number of elements in each dimension, the contiguous one first */
    size_t nb[4];         /* stride of each dimension in bytes */
    const uint8_t * data; /* NULL if the node has no data of its own */
    size_t data_bytes;    /* from `data` to the end of the last element */
};

/* Returns non-zero to continue, zero to stop the decode. Must not unwind. */
typedef int32_t (*oracle_node_callback)(void * user, const struct oracle_node * node);

struct oracle_api {
    uint32_t abi_version;  /* ORACLE_ABI_VERSION of the oracle */
    uint32_t struct_bytes; /* sizeof(struct oracle_api) of the oracle */

    /* *description receives a static structure. */
    enum oracle_status (*describe)(const struct oracle_description ** description, struct oracle_message * message);

    /* *bytes receives the size of a rows x cols tensor, including padding and scales. */
    enum oracle_status (*tensor_bytes)(uint32_t format, uint64_t rows, uint64_t cols, size_t * bytes,
                                       struct oracle_message * message);

    /* Runs the implementation's quantizer on n == rows*cols values. `importance` has the weight of each column's error,
     * n_importance == cols; or it is NULL and n_importance is 0, which is ORACLE_BAD_ARGUMENT if the format needs it.
     * `out` must have tensor_bytes(format, rows, cols) bytes. Bytes that the quantizer does not write are zero.
     * *written receives that size. */
    enum oracle_status (*quantize)(uint32_t format, uint64_t rows, uint64_t cols, const float * values, size_t n,
                                   const float * importance, size_t n_importance, uint8_t * out, size_t capacity,
                                   size_t * written, struct oracle_message * message);

    /* out[r*cols + c] = the value of column c of row r, converted by the implementation. Row r starts at weights +
     * r*row_stride, with any alignment. `cols` must be a multiple of cols_multiple. n_out == rows*cols.
     * ORACLE_UNSUPPORTED if the implementation does not convert rows of `format`. */
    enum oracle_status (*dequantize)(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights,
                                     size_t weights_bytes, size_t row_stride, float * out, size_t n_out,
                                     struct oracle_message * message);

    /* Quantizes `rows` rows of `cols` activations as the implementation's matmul does for weights of `format`. n ==
     * rows*cols. `codes` receives n codes. n_codes, n_scales and n_sums are the lengths of the buffers. What `scales`
     * and `sums` receive depends on the type of the activations:
     *
     *   i8_s  one scale and one sum of codes per row; value = code / scale
     *   q8_K  one scale per 256 codes and one sum per 16 codes; value = code * scale
     *   q8_0  one scale per 32 codes, no sums; value = code * scale
     *   q8_1  two scales per 32 codes, no sums: that of a code, then its product with the sum of the codes
     *
     * The scales of q8_0 and q8_1 are f16 numbers. ORACLE_UNSUPPORTED for other types of activations. */
    enum oracle_status (*quantize_activations)(uint32_t format, uint64_t rows, uint64_t cols, const float * values,
                                               size_t n, int8_t * codes, size_t n_codes, float * scales,
                                               size_t n_scales, int32_t * sums, size_t n_sums,
                                               struct oracle_message * message);

    /* The integer result of the implementation's dot kernel for every row of the batch and every row of weights:
     * out[b*rows + r] = sum over c of code[r][c] * activations[b*cols + c], with unsigned codes (0, 1, 2, or 3) and
     * without scales. Row r starts at weights + r*row_stride. The pointers are passed to the kernel unchanged: no
     * alignment is required, and the kernel may read past a row. i2_s accepts any `cols`; the result is what the kernel
     * returns for columns after the last multiple. Its integers are converted from f32 and exact up to 2^24. For the
     * others, tq2_0 and tq1_0, `cols` must be a multiple of cols_multiple. n_activations == batch*cols, n_out ==
     * batch*rows. ORACLE_UNSUPPORTED for all other formats. */
    enum oracle_status (*code_dot)(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights,
                                   size_t weights_bytes, size_t row_stride, const int8_t * activations,
                                   size_t n_activations, uint64_t batch, int64_t * out, size_t n_out,
                                   struct oracle_message * message);

    /* out[b*rows + r] = the result of the implementation's dot kernel for row r of the weights and row b of quantized
     * activations: batch*cols codes, and scales as quantize_activations returns them for `format`. Sums of codes are
     * computed. Row r starts at weights + r*row_stride, with any alignment. `cols` must be a multiple of cols_multiple.
     * n_codes == batch*cols, n_out == batch*rows. ORACLE_BAD_ARGUMENT if a scale of q8_0 or q8_1 is no f16 number.
     * ORACLE_UNSUPPORTED for formats without a dot kernel and for activations other than q8_K, q8_0 and q8_1. */
    enum oracle_status (*block_dot)(uint32_t format, uint64_t cols, uint64_t rows, const uint8_t * weights,
                                    size_t weights_bytes, size_t row_stride, const int8_t * codes, size_t n_codes,
                                    const float * scales, size_t n_scales, uint64_t batch, float * out, size_t n_out,
                                    struct oracle_message * message);

    /* out[b*rows + r] = the product of weights and activations, computed by the implementation's graph executor with
     * `threads` threads. weights_bytes >= tensor_bytes(format, rows, cols), n_activations == batch*cols, n_out ==
     * batch*rows. `weights` is read in place and must be aligned for its scalars: 4 bytes for
     * f32 and for formats with an f32 scale per row, 2 bytes for blocks of an even number of bytes. */
    enum oracle_status (*matmul)(uint32_t format, uint64_t rows, uint64_t cols, const uint8_t * weights,
                                 size_t weights_bytes, const float * activations, size_t n_activations,
                                 uint64_t batch, uint32_t threads, float * out, size_t n_out,
                                 struct oracle_message * message);

    /* Opens the model file at `path` (NUL-terminated). *session receives a handle, NULL on error. session_close frees
     * it. */
    enum oracle_status (*session_open)(const char * path, const struct oracle_session_params * params,
                                       struct oracle_session ** session, struct oracle_message * message);

    /* Frees the session; NULL is allowed. */
    void (*session_close)(struct oracle_session * session);

    enum oracle_status (*session_info)(const struct oracle_session * session, struct oracle_session_info * info,
                                       struct oracle_message * message);

    /* Decodes n tokens at positions first .. first+n-1. `first` is at most the number of positions decoded so far.
     * Positions from `first` on are removed before the decode, and also after any error. `callback` (or NULL) receives
     * each node in the order of computation. ORACLE_STOPPED if the callback stopped the decode. */
    enum oracle_status (*session_decode)(struct oracle_session * session, const int32_t * tokens, size_t n,
                                         uint64_t first, oracle_node_callback callback, void * user,
                                         struct oracle_message * message);

    /* *logits receives n_vocab values for a decoded position, owned by the session and valid until the next decode
     * or close. *n receives n_vocab. */
    enum oracle_status (*session_logits)(const struct oracle_session * session, uint64_t position,
                                         const float ** logits, size_t * n, struct oracle_message * message);

    /* Tokenizes text_bytes bytes of UTF-8. With add_special, the model's special tokens for the start and end of a text
     * are added. Special tokens in the text itself are not recognised. *n receives the number of tokens, even if
     * `capacity` is too small for them. */
    enum oracle_status (*session_tokenize)(const struct oracle_session * session, const char * text, size_t text_bytes,
                                           int32_t add_special, int32_t * tokens, size_t capacity, size_t * n,
                                           struct oracle_message * message);
};

/* The only exported symbol. Returns NULL if the oracle does not support this version. The table is static. */
const struct oracle_api * oracle_entry(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
