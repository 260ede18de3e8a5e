//! Attention of a batch of queries over the cache.
//!
//! Source: `llm_build_kqv` in `llama.cpp` and `ggml_compute_forward_soft_max_f32` in `ggml.c` of `bitnet-cpp-sys` 0.0.5.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::cache::{Cache, POSITIONS};
use super::config::Config;
use super::trace::Tracer;
use crate::dense::dots::dots;
use crate::dense::fused::exp_and_sum;
use crate::threads::Threads;

/// Keys, or rows of values, that are read together and multiplied with all queries while they are in the first cache.
const TILE: usize = 8;

/// Keys, or rows of values, that are asked for before they are read. A decoded token finds none of them in a cache
/// after the weights of a layer, and they lie too far apart for hardware to foresee.
const AHEAD: usize = 2 * TILE;

/// Queries of a head that are computed together, with the keys and values that were read for them.
const TOKENS: usize = 32;

/// Where a batch of queries stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Position of the first query.
    pub(super) first: usize,
    /// Queries.
    pub(super) tokens: usize,
    /// Positions that take part, masked ones included: a multiple of [`POSITIONS`].
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
    let silent = cache.is_silent_at_zero() && cache.element().can_hold(&queries);
    cache.element().round(&mut queries);
    let steps = tracer.is_on().then(|| Steps::new(config, span));
    let mut out = vec![0.0; queries.len()];
    let groups = groups(config, &mut out);
    threads.for_each(groups.into_iter(), |scratch, group| {
        // What none of the group sees has weights of zero; left out, it only lacks in the trace.
        let seen = span.first + group.start + group.out.len();
        let positions = if silent && steps.is_none() {
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

/// Some tokens' queries of all heads that share a KV head.
struct Group<'o> {
    kv_head: usize,
    /// The first token.
    start: usize,
    /// For each token the results of these heads, one after the other.
    out: Vec<&'o mut [f32]>,
}

/// Memory that a thread uses again.
#[derive(Default)]
struct Scratch {
    /// Keys or rows of values.
    tile: Vec<f32>,
    /// For each query a score for every position.
    scores: Vec<f32>,
}

/// Divides the results of a batch.
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
        // Query `i` is that of head `i % shared` of token `i / shared`.
        let heads_before = |i: usize| {
            (self.start + i / shared) * config.heads + self.kv_head * shared + i % shared
        };
        let Scratch { tile, scores } = scratch;
        scores.resize(self.out.len() * shared * positions, 0.0);

        cache.fetch_keys(&columns, first(0..positions));
        for run in tiles(0..positions) {
            cache.fetch_keys(&columns, soon(&run, positions));
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

        cache.fetch_values(first(columns.clone()), positions);
        let scale = 1.0 / (head as f32).sqrt();
        for (i, scores) in scores.chunks_exact_mut(positions).enumerate() {
            softmax(scores, scale, span.first + self.start + i / shared + 1);
        }
        record(Step::Weights, scores, positions);

        element.round(scores);
        for run in tiles(columns.clone()) {
            cache.fetch_values(soon(&run, columns.end), positions);
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

/// Runs of [`TILE`], the last of which may be shorter.
fn tiles(all: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = all.end;
    all.step_by(TILE)
        .map(move |start| start..end.min(start + TILE))
}

/// The first [`AHEAD`] of all, or as many as there are.
fn first(all: Range<usize>) -> Range<usize> {
    all.start..all.end.min(all.start + AHEAD)
}

/// What lies [`AHEAD`] of a run, as far as there is anything before `end`.
fn soon(run: &Range<usize>, end: usize) -> Range<usize> {
    end.min(run.start + AHEAD)..end.min(run.end + AHEAD)
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

/// The intermediate results of a batch, put together for the trace.
struct Steps {
    tokens: usize,
    /// For each [`Step`]: heads x tokens x (positions, or elements of a head).
    nodes: Mutex<[Vec<f32>; 3]>,
}

/// An intermediate result of attention.
#[derive(Clone, Copy)]
enum Step {
    /// Keys times queries.
    Kq,
    /// What softmax makes of them.
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

    /// Takes the rows of some queries, of which `place` knows head and token.
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
    fn everything_is_asked_for_once() {
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
