// The differences between the vintages of upstream's inference library; see vintage.hpp.
#pragma once

#include "vintage.hpp"

#include "llama.h"

namespace oracle::vintage {

namespace choose {

template <typename Params>
auto load_model(const char * path, Params params, Choice<1>) -> decltype(llama_model_load_from_file(path, params)) {
    return llama_model_load_from_file(path, params);
}
template <typename Params>
auto load_model(const char * path, Params params, Choice<0>) -> decltype(llama_load_model_from_file(path, params)) {
    return llama_load_model_from_file(path, params);
}

template <typename Model> auto free_model(Model * model, Choice<1>) -> decltype(llama_model_free(model)) {
    llama_model_free(model);
}
template <typename Model> auto free_model(Model * model, Choice<0>) -> decltype(llama_free_model(model)) {
    llama_free_model(model);
}

template <typename Model, typename Params>
auto new_context(Model * model, Params params, Choice<1>) -> decltype(llama_init_from_model(model, params)) {
    return llama_init_from_model(model, params);
}
template <typename Model, typename Params>
auto new_context(Model * model, Params params, Choice<0>) -> decltype(llama_new_context_with_model(model, params)) {
    return llama_new_context_with_model(model, params);
}

// The vocabulary of a model: an object of its own, or the model.
template <typename Model> auto vocabulary(Model * model, Choice<1>) -> decltype(llama_model_get_vocab(model)) {
    return llama_model_get_vocab(model);
}
template <typename Model> auto vocabulary(Model * model, Choice<0>) -> const Model * {
    return model;
}

template <typename Model>
auto vocabulary_size(Model * model, Choice<2>) -> decltype(llama_vocab_n_tokens(vocabulary(model, First{}))) {
    return llama_vocab_n_tokens(vocabulary(model, First{}));
}
template <typename Model>
auto vocabulary_size(Model * model, Choice<1>) -> decltype(llama_n_vocab(model)) {
    return llama_n_vocab(model);
}
template <typename Model>
auto vocabulary_size(Model * model, Choice<0>) -> decltype(llama_n_vocab(vocabulary(model, First{}))) {
    return llama_n_vocab(vocabulary(model, First{}));
}

template <typename Model> auto layers(Model * model, Choice<1>) -> decltype(llama_model_n_layer(model)) {
    return llama_model_n_layer(model);
}
template <typename Model> auto layers(Model * model, Choice<0>) -> decltype(llama_n_layer(model)) {
    return llama_n_layer(model);
}

template <typename Model> auto embedding(Model * model, Choice<1>) -> decltype(llama_model_n_embd(model)) {
    return llama_model_n_embd(model);
}
template <typename Model> auto embedding(Model * model, Choice<0>) -> decltype(llama_n_embd(model)) {
    return llama_n_embd(model);
}

template <typename Model> auto vocabulary_type(Model * model, Choice<1>) -> decltype(llama_vocab_type(model)) {
    return llama_vocab_type(model);
}
template <typename Model>
auto vocabulary_type(Model * model, Choice<0>) -> decltype(llama_vocab_type(vocabulary(model, First{}))) {
    return llama_vocab_type(vocabulary(model, First{}));
}

template <typename Model>
auto tokenize(Model * model, const char * text, int32_t bytes, llama_token * tokens, int32_t room, bool special,
              Choice<1>) -> decltype(llama_tokenize(model, text, bytes, tokens, room, special, false)) {
    return llama_tokenize(model, text, bytes, tokens, room, special, false);
}
template <typename Model>
auto tokenize(Model * model, const char * text, int32_t bytes, llama_token * tokens, int32_t room, bool special,
              Choice<0>)
    -> decltype(llama_tokenize(vocabulary(model, First{}), text, bytes, tokens, room, special, false)) {
    return llama_tokenize(vocabulary(model, First{}), text, bytes, tokens, room, special, false);
}

// Removes the positions from `first` on of a sequence from the cache.
template <typename Context>
auto forget(Context * context, llama_seq_id sequence, llama_pos first, Choice<2>)
    -> decltype(llama_memory_seq_rm(llama_get_memory(context), sequence, first, -1)) {
    return llama_memory_seq_rm(llama_get_memory(context), sequence, first, -1);
}
template <typename Context>
auto forget(Context * context, llama_seq_id sequence, llama_pos first, Choice<1>)
    -> decltype(llama_kv_self_seq_rm(context, sequence, first, -1)) {
    return llama_kv_self_seq_rm(context, sequence, first, -1);
}
template <typename Context>
auto forget(Context * context, llama_seq_id sequence, llama_pos first, Choice<0>)
    -> decltype(llama_kv_cache_seq_rm(context, sequence, first, -1)) {
    return llama_kv_cache_seq_rm(context, sequence, first, -1);
}

template <typename Model> auto has_encoder(Model * model, Choice<1>) -> decltype(llama_model_has_encoder(model)) {
    return llama_model_has_encoder(model);
}
template <typename Model> bool has_encoder(Model *, Choice<0>) {
    return false;
}

template <typename Model> auto is_recurrent(Model * model, Choice<1>) -> decltype(llama_model_is_recurrent(model)) {
    return llama_model_is_recurrent(model);
}
template <typename Model> bool is_recurrent(Model *, Choice<0>) {
    return false;
}

} // namespace choose

inline llama_model * load_model(const char * path, llama_model_params params) {
    return choose::load_model(path, params, First{});
}

inline void free_model(llama_model * model) {
    choose::free_model(model, First{});
}

inline llama_context * new_context(llama_model * model, llama_context_params params) {
    return choose::new_context(model, params, First{});
}

inline uint32_t vocabulary_size(const llama_model * model) {
    return static_cast<uint32_t>(choose::vocabulary_size(model, First{}));
}

inline uint32_t layers(const llama_model * model) {
    return static_cast<uint32_t>(choose::layers(model, First{}));
}

inline uint32_t embedding(const llama_model * model) {
    return static_cast<uint32_t>(choose::embedding(model, First{}));
}

inline enum llama_vocab_type vocabulary_type(const llama_model * model) {
    return choose::vocabulary_type(model, First{});
}

inline int32_t tokenize(const llama_model * model, const char * text, int32_t bytes, llama_token * tokens, int32_t room,
                        bool special) {
    return choose::tokenize(model, text, bytes, tokens, room, special, First{});
}

inline void forget(llama_context * context, llama_seq_id sequence, llama_pos first) {
    choose::forget(context, sequence, first, First{});
}

inline bool has_encoder(const llama_model * model) {
    return choose::has_encoder(model, First{});
}

inline bool is_recurrent(const llama_model * model) {
    return choose::is_recurrent(model, First{});
}

// Model parameters.
ORACLE_OPTIONAL_FIELD(use_extra_bufts) // buffers whose tensors are repacked
ORACLE_OPTIONAL_FIELD(repack_tensors)
ORACLE_OPTIONAL_FIELD(merge_qkv)

// Context parameters.
ORACLE_OPTIONAL_FIELD(no_perf)
ORACLE_OPTIONAL_FIELD(flash_attn)
ORACLE_OPTIONAL_FIELD(flash_attn_type)
ORACLE_OPTIONAL_FIELD(op_offload)
ORACLE_OPTIONAL_FIELD(fused_moe_up_gate)
ORACLE_OPTIONAL_FIELD(fused_up_gate)
ORACLE_OPTIONAL_FIELD(fused_mmad)
ORACLE_OPTIONAL_FIELD(rope_cache)
ORACLE_OPTIONAL_FIELD(graph_reuse)

// Selects the plain arithmetic: tensors in the layout of the file.
template <typename Params> void plain_model(Params & params) {
    set_use_extra_bufts(params, false, First{});
    set_repack_tensors(params, false, First{});
    set_merge_qkv(params, false, First{});
    set_flash_attn(params, false, First{});
}

// Selects the plain arithmetic: one node for each operation of the graph, in upstream's order.
template <typename Params> void plain_context(Params & params) {
    set_no_perf(params, true, First{});
    set_flash_attn(params, false, First{});
    set_flash_attn_type(params, 0, First{}); // LLAMA_FLASH_ATTN_TYPE_DISABLED
    set_op_offload(params, false, First{});
    set_fused_moe_up_gate(params, false, First{});
    set_fused_up_gate(params, false, First{});
    set_fused_mmad(params, false, First{});
    set_rope_cache(params, false, First{});
    set_graph_reuse(params, false, First{});
}

} // namespace oracle::vintage
