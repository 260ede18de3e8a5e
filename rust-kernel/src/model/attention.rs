//! Attention of a batch of queries over the cache.
//!
//! Source: `llm_build_kqv` in `llama.cpp` and `ggml_compute_forward_soft_max_f32` in `ggml.c` of `bitnet-cpp-sys` 0.0.5.

use super::cache::Cache;
use super::config::Config;
use super::trace::Tracer;
use crate::dense::fused::{dot, exp_and_sum};
use crate::threads::Threads;

/// Where a batch of queries stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Position of the first query.
    pub(super) first: usize,
    /// Queries.
    pub(super) tokens: usize,
    /// Positions that take part, masked ones included: a multiple of [`POSITIONS`](super::cache::POSITIONS).
    pub(super) positions: usize,
}

/// `tokens x (heads * head)`: for each head the values, weighted by how well the keys match the query.
///
/// `queries` has the same shape. What the cache holds in f16 is multiplied with queries and scores rounded to f16.
pub(super) fn attend(
    config: &Config,
    cache: &Cache,
    span: Span,
    mut queries: Vec<f32>,
    threads: &Threads,
    tracer: &mut Tracer<'_>,
) -> Vec<f32> {
    let Span {
        tokens, positions, ..
    } = span;
    let Config {
        heads,
        kv_heads,
        head,
        ..
    } = *config;
    let shared = heads / kv_heads;
    let (element, rest) = (cache.element(), cache.element().rest());
    let columns = |kv_head: usize| kv_head * head..(kv_head + 1) * head;

    element.round(&mut queries);
    // Heads outermost: a head's keys are read once for all queries of all heads that share them.
    let mut scores = vec![0.0; heads * tokens * positions];
    threads.each_chunk(
        &mut scores,
        shared * tokens * positions,
        |kv_head, scores| {
            let keys = cache.keys(columns(kv_head), positions);
            for (i, scores) in scores.chunks_exact_mut(positions).enumerate() {
                let (of_head, token) = (kv_head * shared + i / tokens, i % tokens);
                let query = &queries[(token * heads + of_head) * head..][..head];
                for (score, key) in scores.iter_mut().zip(keys.chunks_exact(head)) {
                    *score = dot(key, query, rest);
                }
            }
        },
    );
    tracer.node("kq", [positions, tokens, heads], &scores);

    let scale = 1.0 / (head as f32).sqrt();
    threads.each_chunk(&mut scores, positions, |row, scores| {
        softmax(scores, scale, span.first + row % tokens + 1);
    });
    tracer.node("kq_soft_max_ext", [positions, tokens, heads], &scores);

    element.round(&mut scores);
    let mut weighted = vec![0.0; heads * tokens * head];
    threads.each_chunk(
        &mut weighted,
        shared * tokens * head,
        |kv_head, weighted| {
            let values = cache.values(columns(kv_head), positions);
            let scores = &scores[kv_head * shared * tokens * positions..];
            let rows = weighted
                .chunks_exact_mut(head)
                .zip(scores.chunks_exact(positions));
            for (weighted, scores) in rows {
                for (out, value) in weighted.iter_mut().zip(values.chunks_exact(positions)) {
                    *out = dot(value, scores, rest);
                }
            }
        },
    );
    tracer.node("kqv", [head, tokens, heads], &weighted);

    let mut merged = vec![0.0; weighted.len()];
    for (i, row) in weighted.chunks_exact(head).enumerate() {
        let (of_head, token) = (i / tokens, i % tokens);
        merged[(token * heads + of_head) * head..][..head].copy_from_slice(row);
    }
    merged
}

/// Turns the scores of one query into weights that add up to one; those from `visible` on get none.
fn softmax(scores: &mut [f32], scale: f32, visible: usize) {
    for (position, score) in scores.iter_mut().enumerate() {
        let mask = if position < visible {
            0.0
        } else {
            f32::NEG_INFINITY
        };
        *score = *score * scale + mask;
    }
    let max = scores.iter().fold(
        f32::NEG_INFINITY,
        |max, &score| if max > score { max } else { score },
    );
    let inverse = (1.0 / exp_and_sum(scores, max)) as f32;
    scores.iter_mut().for_each(|score| *score *= inverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one_over_what_is_visible() {
        let mut scores: Vec<f32> = (0..32).map(|i| i as f32).collect();
        softmax(&mut scores, 0.125, 5);
        assert!(scores[..5].is_sorted() && scores[0] > 0.0);
        assert_eq!(scores[5..], [0.0; 27]);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
