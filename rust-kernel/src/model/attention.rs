//! Attention of a batch of queries over the cache.
//!
//! Source: `llm_build_kqv` in `llama.cpp` and `ggml_compute_forward_soft_max_f32` in `ggml.c`, both of
//! `bitnet-cpp-sys` 0.0.5.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::cache::{Cache, POSITIONS};
use super::config::Config;
use super::trace::Tracer;
use crate::dense::dots::dots;
use crate::dense::fused::exp_and_sum;
use crate::threads::Threads;

/// Keys, or rows of values, that are read together. All queries are multiplied with them while they are in the L1
/// cache.
const TILE: usize = 8;

/// Prefetch distance in keys or rows of values. The weights of a layer evict them from the caches between two tokens,
/// and their stride is too large for hardware prefetchers.
const AHEAD: usize = 2 * TILE;

/// Queries of a head that are computed together. They share the keys and values that were read.
const TOKENS: usize = 32;

/// The positions of a batch of queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Position of the first query.
    pub(super) first: usize,
    /// Number of queries.
    pub(super) tokens: usize,
    /// Number of positions, including masked ones: a multiple of [`POSITIONS`].
    pub(super) positions: usize,
}

/// Attention of each query, `tokens x (heads * head)`: for each head the sum of the values, weighted by the softmax of
/// the scores.
///
/// `queries` has the same shape. With an f16 cache, queries and scores are rounded to f16.
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
    let skip_zero_weights = cache.can_skip_zero_weights() && cache.element().can_hold(&queries);
    cache.element().round(&mut queries);
    let steps = tracer.is_on().then(|| Steps::new(config, span));
    let mut out = vec![0.0; queries.len()];
    let groups = groups(config, &mut out);
    threads.for_each(groups.into_iter(), |scratch, group| {
        // Positions that are masked for the whole group have weights of zero. Skipping them is visible only in a trace.
        let seen = span.first + group.start + group.out.len();
        let positions = if skip_zero_weights && steps.is_none() {
            seen.next_multiple_of(POSITIONS)
        } else {
            span.positions
        };
        let span = Span { positions, ..span };
        group.attend(config, cache, span, &queries, scratch, steps.as_ref());
    });
    if let Some(steps) = steps {
        let [kq, weights, kqv] = steps.into_nodes();
        tracer.node("kq", [positions, tokens, config.heads], &kq);
        tracer.node(
            "kq_soft_max_ext",
            [positions, tokens, config.heads],
            &weights,
        );
        tracer.node("kqv", [config.head, tokens, config.heads], &kqv);
    }
    out
}

/// The queries of several tokens, for all heads that share a KV head.
struct Group<'o> {
    kv_head: usize,
    /// The first token.
    start: usize,
    /// For each token the results of these heads, concatenated.
    out: Vec<&'o mut [f32]>,
}

/// Scratch memory of a thread.
#[derive(Default)]
struct Scratch {
    /// Keys or rows of values.
    tile: Vec<f32>,
    /// Scores: `queries x positions`.
    scores: Vec<f32>,
}

/// Divides the results of a batch into groups.
fn groups<'o>(config: &Config, out: &'o mut [f32]) -> Vec<Group<'o>> {
    let (kv_heads, width) = (config.kv_heads, config.heads * config.head);
    let mut groups = Vec::new();
    for (run, rows) in out.chunks_mut(TOKENS * width).enumerate() {
        let of_run = groups.len();
        groups.extend((0..kv_heads).map(|kv_head| Group {
            kv_head,
            start: run * TOKENS,
            out: Vec::with_capacity(TOKENS),
        }));
        for (i, out) in rows.chunks_exact_mut(width / kv_heads).enumerate() {
            groups[of_run + i % kv_heads].out.push(out);
        }
    }
    groups
}

impl Group<'_> {
    fn attend(
        mut self,
        config: &Config,
        cache: &Cache,
        span: Span,
        queries: &[f32],
        scratch: &mut Scratch,
        steps: Option<&Steps>,
    ) {
        let (head, positions) = (config.head, span.positions);
        let shared = config.heads / config.kv_heads;
        let (element, rest) = (cache.element(), cache.element().rest());
        let columns = self.kv_head * head..(self.kv_head + 1) * head;
        // Query `i` belongs to head `i % shared` of the group and to token `i / shared`.
        let heads_before = |i: usize| {
            (self.start + i / shared) * config.heads + self.kv_head * shared + i % shared
        };
        let Scratch { tile, scores } = scratch;
        scores.resize(self.out.len() * shared * positions, 0.0);

        cache.prefetch_keys(&columns, first(0..positions));
        for run in tiles(0..positions) {
            cache.prefetch_keys(&columns, soon(&run, positions));
            tile.resize(run.len() * head, 0.0);
            cache.read_keys(columns.clone(), run.clone(), tile);
            for (i, scores) in scores.chunks_exact_mut(positions).enumerate() {
                let query = &queries[heads_before(i) * head..][..head];
                dots(tile, query, rest, &mut scores[run.clone()]);
            }
        }
        let place = |i: usize| (self.kv_head * shared + i % shared, self.start + i / shared);
        let record = |step, rows: &[f32], len| {
            if let Some(steps) = steps {
                steps.record(step, rows.chunks_exact(len), place);
            }
        };
        record(Step::Kq, scores, positions);

        cache.prefetch_values(first(columns.clone()), positions);
        let scale = 1.0 / (head as f32).sqrt();
        for (i, scores) in scores.chunks_exact_mut(positions).enumerate() {
            softmax(scores, scale, span.first + self.start + i / shared + 1);
        }
        record(Step::Weights, scores, positions);

        element.round(scores);
        for run in tiles(columns.clone()) {
            cache.prefetch_values(soon(&run, columns.end), positions);
            tile.resize(run.len() * positions, 0.0);
            cache.read_values(run.clone(), positions, tile);
            let at = run.start % head..run.start % head + run.len();
            for (i, scores) in scores.chunks_exact(positions).enumerate() {
                let out = &mut self.out[i / shared][i % shared * head..][at.clone()];
                dots(tile, scores, rest, out);
            }
        }
        if let Some(steps) = steps {
            let rows = self.out.iter().flat_map(|out| out.chunks_exact(head));
            steps.record(Step::Kqv, rows, place);
        }
    }
}

/// Runs of [`TILE`] elements. The last may be shorter.
fn tiles(all: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = all.end;
    all.step_by(TILE)
        .map(move |start| start..end.min(start + TILE))
}

/// The first [`AHEAD`] elements, or all if there are fewer.
fn first(all: Range<usize>) -> Range<usize> {
    all.start..all.end.min(all.start + AHEAD)
}

/// The range [`AHEAD`] elements after a run, clamped to `end`.
fn soon(run: &Range<usize>, end: usize) -> Range<usize> {
    end.min(run.start + AHEAD)..end.min(run.end + AHEAD)
}

/// Converts the scores of one query to weights that add up to one. The weights from position `visible` on are zero.
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

/// The intermediate results of a batch, collected for the trace.
struct Steps {
    tokens: usize,
    /// For each [`Step`]: `heads x tokens x (positions, or elements of a head)`.
    nodes: Mutex<[Vec<f32>; 3]>,
}

/// An intermediate result of attention.
#[derive(Clone, Copy)]
enum Step {
    /// Keys times queries.
    Kq,
    /// Softmax of the scores.
    Weights,
    /// Values times weights.
    Kqv,
}

impl Steps {
    fn new(config: &Config, span: Span) -> Steps {
        let queries = config.heads * span.tokens;
        let columns = [span.positions, span.positions, config.head];
        Steps {
            tokens: span.tokens,
            nodes: Mutex::new(columns.map(|columns| vec![0.0; queries * columns])),
        }
    }

    /// Records the rows of some queries. `place(i)` is the head and the token of row `i`.
    fn record<'r>(
        &self,
        step: Step,
        rows: impl Iterator<Item = &'r [f32]>,
        place: impl Fn(usize) -> (usize, usize),
    ) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, row) in rows.enumerate() {
            let (head, token) = place(i);
            let at = (head * self.tokens + token) * row.len();
            nodes[step as usize][at..][..row.len()].copy_from_slice(row);
        }
    }

    fn into_nodes(self) -> [Vec<f32>; 3] {
        self.nodes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
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

    #[test]
    fn everything_is_prefetched_once() {
        for all in [0..1, 0..AHEAD, 3..AHEAD + 20, 8..200] {
            let later = tiles(all.clone()).flat_map(|run| soon(&run, all.end));
            assert!(first(all.clone()).chain(later).eq(all.clone()));
        }
    }

    #[test]
    fn tiles_cover_everything_once() {
        assert!(tiles(5..5).eq([]));
        assert!(tiles(8..11).eq(std::iter::once(8..11)));
        assert!(tiles(3..20).eq([3..11, 11..19, 19..20]));
    }
}
