// The differences between the vintages of upstream.
//
// Functions were renamed and got parameters, structures got fields. Each difference is a set of overloads, from which
// the compiler chooses the first one that upstream's headers declare. Names are looked up when an overload is
// instantiated, in the namespace of their arguments, so an overload may use a name that this vintage does not have.
#pragma once

#include "ggml-backend.h"
#include "ggml.h"
#if __has_include("ggml-cpu.h")
#include "ggml-cpu.h"
#endif
#if __has_include("gguf.h")
#include "gguf.h"
#endif

#include <utility>

namespace oracle::vintage {

// The order of preference: the overload with the largest number is tried first.
template <int n> struct Choice : Choice<n - 1> {};
template <> struct Choice<0> {};
using First = Choice<4>;

namespace choose {

// Type traits. Upstream split them into a table for all backends and one for the CPU.
template <typename Type>
auto cpu_traits(Type type, Choice<2>) -> decltype(*ggml_get_type_traits_cpu(type)) {
    return *ggml_get_type_traits_cpu(type);
}
template <typename Type> auto cpu_traits(Type type, Choice<1>) -> decltype(*ggml_get_type_traits(type)) {
    return *ggml_get_type_traits(type);
}
template <typename Type> auto cpu_traits(Type type, Choice<0>) -> decltype(ggml_internal_get_type_traits(type)) {
    return ggml_internal_get_type_traits(type);
}

template <typename Type> auto base_traits(Type type, Choice<1>) -> decltype(*ggml_get_type_traits(type)) {
    return *ggml_get_type_traits(type);
}
template <typename Type> auto base_traits(Type type, Choice<0>) -> decltype(ggml_internal_get_type_traits(type)) {
    return ggml_internal_get_type_traits(type);
}

template <typename Type>
auto quantize(Type type, const float * values, void * out, int64_t rows, int64_t cols, const float * importance,
              Choice<1>) -> decltype(ggml_quantize_chunk(type, values, out, 0, rows, cols, importance)) {
    return ggml_quantize_chunk(type, values, out, 0, rows, cols, importance);
}
template <typename Type>
auto quantize(Type type, const float * values, void * out, int64_t rows, int64_t cols, const float * importance,
              Choice<0>) -> decltype(ggml_quantize_chunk(type, values, out, 0, rows, cols, importance, nullptr)) {
    return ggml_quantize_chunk(type, values, out, 0, rows, cols, importance, nullptr);
}

// A plan without a thread pool.
template <typename Graph>
auto plan(Graph * graph, int threads, Choice<1>) -> decltype(ggml_graph_plan(graph, threads, nullptr)) {
    return ggml_graph_plan(graph, threads, nullptr);
}
template <typename Graph>
auto plan(Graph * graph, int threads, Choice<0>) -> decltype(ggml_graph_plan(graph, threads)) {
    return ggml_graph_plan(graph, threads);
}

// A scheduler with one backend, without parallel copies and without offloading.
template <typename Backend>
auto scheduler(Backend * backends, size_t capacity, Choice<1>)
    -> decltype(ggml_backend_sched_new(backends, nullptr, 1, capacity, false, false)) {
    return ggml_backend_sched_new(backends, nullptr, 1, capacity, false, false);
}
template <typename Backend>
auto scheduler(Backend * backends, size_t capacity, Choice<0>)
    -> decltype(ggml_backend_sched_new(backends, nullptr, 1, capacity, false)) {
    return ggml_backend_sched_new(backends, nullptr, 1, capacity, false);
}

} // namespace choose

inline auto dot_kernel(ggml_type type) {
    return choose::cpu_traits(type, First{}).vec_dot;
}

// Quantizes activations.
inline auto activation_quantizer(ggml_type type) {
    return choose::cpu_traits(type, First{}).from_float;
}

// The type to which a matmul converts activations.
inline ggml_type activation_type(ggml_type type) {
    return choose::cpu_traits(type, First{}).vec_dot_type;
}

// The traits of a type that do not depend on the CPU: to_float and the reference quantizer.
inline auto base_traits(ggml_type type) {
    return choose::base_traits(type, First{});
}

// Quantizes rows. `importance` holds `cols` values or is NULL.
inline size_t quantize(ggml_type type, const float * values, void * out, int64_t rows, int64_t cols,
                       const float * importance) {
    return choose::quantize(type, values, out, rows, cols, importance, First{});
}

inline ggml_cplan plan(ggml_cgraph * graph, int threads) {
    return choose::plan(graph, threads, First{});
}

inline ggml_backend_sched_t scheduler(ggml_backend_t * backends, size_t capacity) {
    return choose::scheduler(backends, capacity, First{});
}

// Whether the callback of the scheduler may stop the computation; it returns bool or int.
using Proceed = decltype(std::declval<ggml_backend_sched_eval_callback>()(nullptr, false, nullptr));

// The rows of the attention mask are padded to a multiple of this.
#ifdef GGML_KQ_MASK_PAD
constexpr uint32_t mask_padding = GGML_KQ_MASK_PAD;
#else
constexpr uint32_t mask_padding = 1;
#endif

// Defines set_NAME(structure, value), which sets a field that not all vintages have.
#define ORACLE_OPTIONAL_FIELD(name)                                                                                    \
    template <typename Structure, typename Value>                                                                      \
    auto set_##name(Structure & structure, Value value, Choice<1>) -> decltype(structure.name, void()) {               \
        structure.name = static_cast<decltype(structure.name)>(value);                                                 \
    }                                                                                                                  \
    template <typename Structure, typename Value> void set_##name(Structure &, Value, Choice<0>) {}

} // namespace oracle::vintage
