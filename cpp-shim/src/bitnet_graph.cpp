#include "bitnet_graph.hpp"

#include <cmath>

namespace oracle {

namespace {

// The ramp of YaRN, which is unused without extrapolation.
constexpr float no_extrapolation = 0.0f;
constexpr float beta_fast = 32.0f;
constexpr float beta_slow = 1.0f;
// The slope of ALiBi: disabled.
constexpr float no_bias = 0.0f;

class Builder {
  public:
    Builder(ggml_context * context, const BitnetModel & model, const Ubatch & ubatch)
        : context(context), model(model), sizes(model.sizes), ubatch(ubatch) {}

    BitnetGraph build(const std::vector<KvCache> & caches) {
        out.graph = ggml_new_graph_custom(context, graph_capacity(sizes.layers), /* grads */ false);
        out.tokens = input("inp_tokens", ggml_new_tensor_1d(context, GGML_TYPE_I32, ubatch.tokens));
        ggml_tensor * stream = named("inp_embd", ggml_get_rows(context, model.embedding, out.tokens));
        out.positions = input("inp_pos", ggml_new_tensor_1d(context, GGML_TYPE_I32, ubatch.tokens));
        out.mask = input("KQ_mask", ggml_new_tensor_2d(context, GGML_TYPE_F32, ubatch.span,
                                                       GGML_PAD(ubatch.tokens, vintage::mask_padding)));
        for (size_t index = 0; index < model.layers.size(); ++index) {
            layer = static_cast<int>(index);
            stream = residual(stream, model.layers[index], caches[index]);
        }
        layer = none;
        ggml_tensor * normed = norm("result_norm", stream, model.output_norm);
        out.logits = named("result_output", ggml_mul_mat(context, model.embedding, normed));
        ggml_build_forward_expand(out.graph, out.logits);
        return out;
    }

  private:
    static constexpr int none = -1;

    // The residual stream after a layer.
    ggml_tensor * residual(ggml_tensor * stream, const BitnetLayer & tensors, const KvCache & cache) {
        ggml_tensor * attended = attention(stream, tensors, cache);
        if (layer + 1 == static_cast<int>(sizes.layers)) {
            out.outputs = input("inp_out_ids", ggml_new_tensor_1d(context, GGML_TYPE_I32, ubatch.tokens));
            attended = ggml_get_rows(context, attended, out.outputs);
            stream = ggml_get_rows(context, stream, out.outputs);
        }
        stream = named("ffn_inp", ggml_add(context, attended, stream));
        ggml_tensor * fed = feed_forward(stream, tensors);
        return named("l_out", ggml_add(context, fed, stream));
    }

    ggml_tensor * attention(ggml_tensor * stream, const BitnetLayer & tensors, const KvCache & cache) {
        ggml_tensor * normed = norm("attn_norm", stream, tensors.attn_norm);
        ggml_tensor * queries = named("Qcur", product(tensors.query, normed));
        ggml_tensor * keys = named("Kcur", product(tensors.key, normed));
        ggml_tensor * values = named("Vcur", product(tensors.value, normed));
        queries = named("Qcur", rotated(queries, sizes.heads));
        keys = named("Kcur", rotated(keys, sizes.kv_heads));
        // All three are computed before the cache is written, as in upstream.
        ggml_build_forward_expand(out.graph, queries);
        ggml_build_forward_expand(out.graph, keys);
        ggml_build_forward_expand(out.graph, values);
        store(cache, keys, values);
        ggml_tensor * merged = named("kqv_out", attend(cache, queries));
        ggml_tensor * sub_normed = norm("attn_sub_norm", merged, tensors.attn_sub_norm);
        return named("attn_o_out", product(tensors.attn_output, sub_normed));
    }

    ggml_tensor * rotated(ggml_tensor * x, int64_t heads) {
        return ggml_rope_ext(context, ggml_reshape_3d(context, x, sizes.head, heads, ubatch.tokens), out.positions,
                             /* factors */ nullptr, sizes.rope_dimensions, GGML_ROPE_TYPE_NEOX, sizes.rope_context,
                             sizes.rope_base, sizes.rope_scale, no_extrapolation, sizes.rope_magnitude, beta_fast,
                             beta_slow);
    }

    // Copies the keys and values of the ubatch to their positions in the cache.
    void store(const KvCache & cache, ggml_tensor * keys, ggml_tensor * values) {
        const int64_t width = sizes.kv_width();
        const size_t element = ggml_element_size(cache.values);
        const size_t first = static_cast<size_t>(ubatch.first);
        ggml_tensor * key_rows = ggml_view_1d(context, cache.keys, ubatch.tokens * width,
                                              ggml_row_size(cache.keys->type, width) * first);
        named("k_cache_view", key_rows);
        ggml_build_forward_expand(out.graph, ggml_cpy(context, keys, key_rows));
        ggml_tensor * value_columns =
            ggml_view_2d(context, cache.values, ubatch.tokens, width, value_stride(cache), element * first);
        named("v_cache_view", value_columns);
        ggml_build_forward_expand(out.graph, ggml_cpy(context, ggml_transpose(context, values), value_columns));
    }

    // Attention, queries_width x tokens: for each head the sum of the values, weighted by the softmax of the scores.
    ggml_tensor * attend(const KvCache & cache, ggml_tensor * queries) {
        const ggml_type type = cache.keys->type;
        ggml_tensor * q = named("q", ggml_permute(context, queries, 0, 2, 1, 3));
        ggml_tensor * k = ggml_view_3d(context, cache.keys, sizes.head, ubatch.span, sizes.kv_heads,
                                       ggml_row_size(type, sizes.kv_width()), ggml_row_size(type, sizes.head), 0);
        named("k", k);
        ggml_tensor * scores = named("kq", ggml_mul_mat(context, k, q));
        const float scale = 1.0f / std::sqrt(static_cast<float>(sizes.head));
        scores = named("kq_soft_max_ext", ggml_soft_max_ext(context, scores, out.mask, scale, no_bias));
        const size_t stride = value_stride(cache);
        ggml_tensor * v = ggml_view_3d(context, cache.values, ubatch.span, sizes.head, sizes.kv_heads, stride,
                                       stride * static_cast<size_t>(sizes.head), 0);
        named("v", v);
        ggml_tensor * weighted = named("kqv", ggml_mul_mat(context, v, scores));
        ggml_tensor * by_token = named("kqv_merged", ggml_permute(context, weighted, 0, 2, 1, 3));
        ggml_tensor * merged = ggml_cont_2d(context, by_token, sizes.queries_width(), ubatch.tokens);
        ggml_build_forward_expand(out.graph, merged);
        return merged;
    }

    // Bytes from one column of the values to the next.
    size_t value_stride(const KvCache & cache) const {
        return ggml_nbytes(cache.values) / static_cast<size_t>(sizes.kv_width());
    }

    ggml_tensor * feed_forward(ggml_tensor * stream, const BitnetLayer & tensors) {
        ggml_tensor * normed = norm("ffn_norm", stream, tensors.ffn_norm);
        ggml_tensor * up = scaled_product({"ffn_up", "ffn_up_s"}, tensors.up, normed);
        ggml_tensor * gate = activated(scaled_product({"ffn_gate", "ffn_gate_s"}, tensors.gate, normed));
        ggml_tensor * gated = named("ffn_sub_out", ggml_mul(context, gate, up));
        ggml_tensor * sub_normed = norm("ffn_sub_norm", gated, tensors.ffn_sub_norm);
        return named("ffn_down", product(tensors.down, sub_normed));
    }

    ggml_tensor * activated(ggml_tensor * gate) {
        switch (model.architecture.gate) {
            case Gate::silu: return named("ffn_silu", ggml_silu(context, gate));
            case Gate::relu_squared:
                gate = named("ffn_relu", ggml_relu(context, gate));
                return named("ffn_sqr(relu)", ggml_sqr(context, gate));
        }
        refuse(ORACLE_FAILED, "architecture %s has no gate", model.architecture.name);
    }

    // RMS norm of each row, multiplied by the weights.
    ggml_tensor * norm(const char * name, ggml_tensor * x, ggml_tensor * weights) {
        x = named("norm", ggml_rms_norm(context, x, sizes.rms_epsilon));
        return named(name, ggml_mul(context, x, weights));
    }

    ggml_tensor * product(const Linear & linear, ggml_tensor * x) {
        x = ggml_mul_mat(context, linear.weight, x);
        return linear.scale == nullptr ? x : ggml_mul(context, x, linear.scale);
    }

    struct Names {
        const char * product;
        const char * scaled;
    };

    // A product and its scaling, as two named nodes.
    ggml_tensor * scaled_product(const Names & names, const Linear & linear, ggml_tensor * x) {
        x = named(names.product, ggml_mul_mat(context, linear.weight, x));
        return linear.scale == nullptr ? x : named(names.scaled, ggml_mul(context, x, linear.scale));
    }

    ggml_tensor * input(const char * name, ggml_tensor * tensor) {
        ggml_set_name(tensor, name);
        ggml_set_input(tensor);
        return tensor;
    }

    ggml_tensor * named(const char * name, ggml_tensor * tensor) {
        if (layer == none) {
            ggml_set_name(tensor, name);
        } else {
            ggml_format_name(tensor, "%s-%d", name, layer);
        }
        return tensor;
    }

    ggml_context * const context;
    const BitnetModel & model;
    const BitnetSizes & sizes;
    const Ubatch & ubatch;
    // The layer being built, for the names of its nodes.
    int layer = none;
    BitnetGraph out{};
};

} // namespace

BitnetGraph build_bitnet_graph(ggml_context * context, const BitnetModel & model, const std::vector<KvCache> & caches,
                               const Ubatch & ubatch) {
    return Builder(context, model, ubatch).build(caches);
}

} // namespace oracle
