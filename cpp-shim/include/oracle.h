/* The C ABI of an oracle: an implementation of ternary quantization and inference that another one is compared with.
 *
 * It is written for any implementation of these operations. An oracle is a shared object that exports one symbol,
 * oracle_entry, which hands out a table of functions. Rules that hold for every function of the table:
 *
 * - It returns an oracle_status. On any status but ORACLE_OK the results are undefined unless the function says
 *   otherwise, and `message` (which may be NULL) receives one line in plain words.
 * - No exception leaves it. It does not keep a pointer that it was given after it has returned.
 * - Buffers belong to the caller. A length counts elements of the pointer's type, so bytes for uint8_t. A buffer
 *   that is too short is ORACLE_BAD_ARGUMENT and nothing is written to it. Buffers do not overlap.
 * - Matrices are row-major: `rows` rows of `cols` contiguous weights. A batch is `batch` rows of `cols` activations.
 * - Functions may be called from several threads at once; one session only from one thread at a time.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with every change of this header that an older caller could not survive. */
#define ORACLE_ABI_VERSION 3u

enum oracle_status {
    ORACLE_OK = 0,
    ORACLE_BAD_ARGUMENT = 1,  /* a pointer, length, shape or value that the operation cannot take */
    ORACLE_UNSUPPORTED = 2,   /* a sound request that this oracle has no code for */
    ORACLE_NO_ANSWER = 3,     /* the oracle's kernel returned without writing a result */
    ORACLE_OUT_OF_MEMORY = 4,
    ORACLE_FILE = 5,          /* a model file that cannot be opened, or that is no model */
    ORACLE_FAILED = 6,        /* the implementation itself reported an error */
    ORACLE_STOPPED = 7        /* the caller's callback asked to stop */
};

/* How the weights of a tensor are stored. */
enum oracle_format {
    ORACLE_I2_S = 1,  /* 2-bit codes, one f32 scale a tensor */
    ORACLE_TQ2_0 = 2, /* 2-bit codes, one f16 scale per 256 weights */
    ORACLE_TQ1_0 = 3, /* base-3 digits, one f16 scale per 256 weights */
    ORACLE_F16 = 4,
    ORACLE_F32 = 5,
    ORACLE_Q6_K = 6 /* 6-bit codes, 16 scales and one f16 scale per 256 weights */
};

/* Where a function writes its message. `text` holds `capacity` bytes and is NUL-terminated on return if
 * capacity > 0; a longer message is cut. `length` is set to the bytes written, without the NUL. */
struct oracle_message {
    char * text;
    size_t capacity;
    size_t length;
};

struct oracle_format_info {
    enum oracle_format format;
    const char * name;     /* as in the field's files, e.g. "i2_s" */
    uint32_t block;        /* weights that are packed together */
    uint32_t cols_multiple; /* the dot product of a row is defined for multiples of so many columns */
};

/* What the oracle is and how it was built. Every string is NUL-terminated, static and never NULL. */
struct oracle_description {
    const char * id;              /* e.g. "bitnet.cpp/strict" */
    const char * upstream;        /* the project that the source is from */
    const char * version;         /* version of the source, or "local" with its commit */
    const char * checksum;        /* sha256 of the source, hexadecimal */
    const char * compiler;
    const char * flags;           /* of the files that hold the arithmetic, separated by spaces */
    const char * instruction_set; /* CPU features that must be there, separated by spaces */
    const struct oracle_format_info * formats;
    size_t n_formats;
};

struct oracle_session; /* a model, opened, with a context to decode in */

/* Who puts a model's operations together to a graph. Either way they are the implementation's own operations, run by
 * its own executor. */
enum oracle_graph {
    ORACLE_GRAPH_AUTO = 1, /* the implementation; for an architecture that it has no graph for, the oracle */
    ORACLE_GRAPH_OPS = 2   /* the oracle, also where the implementation could, so that one can be held to the other */
};

struct oracle_session_params {
    uint32_t n_ctx;    /* positions that fit, at least 1; the oracle may round up */
    uint32_t n_batch;  /* tokens that one decode takes at most, at least 1 */
    uint32_t n_ubatch; /* tokens computed in one go, 1..n_batch */
    uint32_t n_threads;
    enum oracle_format kv_format; /* element type of the key-value cache: ORACLE_F16 or ORACLE_F32 */
    enum oracle_graph graph;
};

struct oracle_session_info {
    uint32_t n_vocab;
    uint32_t n_ctx;
    uint32_t n_batch;
    uint32_t n_layer;
    uint32_t n_embd;
    const char * graph; /* whose graph computes, in a few words; static, never NULL */
};

/* A tensor of the compute graph, right after it was computed. All pointers are valid during the callback only. */
struct oracle_node {
    const char * name;
    const char * op;      /* the operation that made it, e.g. "MUL_MAT" */
    const char * element; /* element type, e.g. "f32" */
    const char * const * inputs; /* names of the n_inputs tensors that it was made from, weights among them */
    size_t n_inputs;
    int64_t ne[4];        /* elements along each dimension, the contiguous one first */
    size_t nb[4];         /* stride of each dimension in bytes */
    const uint8_t * data; /* NULL if the node holds no data of its own */
    size_t data_bytes;    /* from `data` to the end of the last element */
};

/* Returns non-zero to go on, zero to stop the decode. Must not unwind. */
typedef int32_t (*oracle_node_callback)(void * user, const struct oracle_node * node);

struct oracle_api {
    uint32_t abi_version;  /* ORACLE_ABI_VERSION of the oracle */
    uint32_t struct_bytes; /* sizeof(struct oracle_api) of the oracle */

    /* *description receives a static structure. Runs on any CPU of the target architecture, whatever the oracle's
     * instruction set. */
    enum oracle_status (*describe)(const struct oracle_description ** description, struct oracle_message * message);

    /* *bytes receives the size of a rows x cols tensor, padding and scales included. */
    enum oracle_status (*tensor_bytes)(enum oracle_format format, uint64_t rows, uint64_t cols, size_t * bytes,
                                       struct oracle_message * message);

    /* The oracle's own quantizer over n == rows*cols values. `out` must hold tensor_bytes(format, rows, cols); bytes
     * that the quantizer leaves alone are zero. *written receives that size. */
    enum oracle_status (*quantize)(enum oracle_format format, uint64_t rows, uint64_t cols, const float * values,
                                   size_t n, uint8_t * out, size_t capacity, size_t * written,
                                   struct oracle_message * message);

    /* What the oracle's matmul does to `rows` rows of `cols` activations for weights of `format`, n == rows*cols.
     * `codes` receives n codes. Per row: one scale and one sum for ORACLE_I2_S (value = code / scale); one scale per
     * 256 and one sum per 16 codes for the 256-blocked formats (value = code * scale). n_codes, n_scales and n_sums
     * are what the buffers hold. */
    enum oracle_status (*quantize_activations)(enum oracle_format format, uint64_t rows, uint64_t cols,
                                               const float * values, size_t n, int8_t * codes, size_t n_codes,
                                               float * scales, size_t n_scales, int32_t * sums, size_t n_sums,
                                               struct oracle_message * message);

    /* The integer of the oracle's dot kernel for every row of the batch and every row of weights:
     * out[b*rows + r] = sum over c of code[r][c] * activations[b*cols + c], codes unsigned (0, 1, 2, or 3), scales
     * left out. Row r starts at weights + r*row_stride. Weights and activations reach the kernel as they are: no
     * alignment is asked for, and it reads what it reads. ORACLE_I2_S takes any `cols`, and what the kernel makes of
     * columns beyond the last multiple is the answer; its integers pass through an f32 and are exact up to 2^24.
     * For the other formats `cols` must be a multiple of cols_multiple. n_activations == batch*cols,
     * n_out == batch*rows. */
    enum oracle_status (*code_dot)(enum oracle_format format, uint64_t cols, uint64_t rows, const uint8_t * weights,
                                   size_t weights_bytes, size_t row_stride, const int8_t * activations,
                                   size_t n_activations, uint64_t batch, int64_t * out, size_t n_out,
                                   struct oracle_message * message);

    /* out[b*rows + r] = the product of weights and activations, through the oracle's graph executor with `threads`
     * threads. weights_bytes >= tensor_bytes(format, rows, cols), n_activations == batch*cols, n_out == batch*rows.
     * `weights` is read in place and aligned for the scalars in it: 4 bytes for ORACLE_F32, 2 for those with f16. */
    enum oracle_status (*matmul)(enum oracle_format format, uint64_t rows, uint64_t cols, const uint8_t * weights,
                                 size_t weights_bytes, const float * activations, size_t n_activations,
                                 uint64_t batch, uint32_t threads, float * out, size_t n_out,
                                 struct oracle_message * message);

    /* Opens the model file at `path` (NUL-terminated). *session receives a handle for session_close, NULL on error. */
    enum oracle_status (*session_open)(const char * path, const struct oracle_session_params * params,
                                       struct oracle_session ** session, struct oracle_message * message);

    /* Frees the session; NULL is allowed. */
    void (*session_close)(struct oracle_session * session);

    enum oracle_status (*session_info)(const struct oracle_session * session, struct oracle_session_info * info,
                                       struct oracle_message * message);

    /* Decodes n tokens at positions first .. first+n-1. `first` is at most the number of positions decoded so far;
     * positions from `first` on are forgotten beforehand, and after any error too. `callback` (or NULL) sees each
     * node in the order of computation; ORACLE_STOPPED if it asked to stop. */
    enum oracle_status (*session_decode)(struct oracle_session * session, const int32_t * tokens, size_t n,
                                         uint64_t first, oracle_node_callback callback, void * user,
                                         struct oracle_message * message);

    /* *logits receives n_vocab values for a decoded position, owned by the session and valid until the next decode
     * or close. *n receives n_vocab. */
    enum oracle_status (*session_logits)(const struct oracle_session * session, uint64_t position,
                                         const float ** logits, size_t * n, struct oracle_message * message);

    /* Tokens of text_bytes bytes of UTF-8. With add_special the tokens that the model wants around a text are added;
     * special tokens spelled out in the text are not recognised. *n receives the number of tokens, also when
     * `capacity` is too small for them. */
    enum oracle_status (*session_tokenize)(const struct oracle_session * session, const char * text, size_t text_bytes,
                                           int32_t add_special, int32_t * tokens, size_t capacity, size_t * n,
                                           struct oracle_message * message);
};

/* The one exported symbol. NULL if the oracle does not serve this version. The table is static. */
const struct oracle_api * oracle_entry(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
