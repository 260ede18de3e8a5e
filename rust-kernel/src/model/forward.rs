//! The graph of one batch, with the operations and node names of `build_bitnet`, `build_llama` and `build_qwen2` in
//! `llama.cpp` of `bitnet-cpp-sys` 0.0.5.
//!
//! `bitnet-b1.58` and `bitnet-25` have the graph of `bitnet`, with relu squared as activation of the gate.

use super::attention::{Span, attend};
use super::cache::Cache;
use super::config::{Config, Gate};
use super::error::ModelError;
use super::linear::{Input, Linear};
use super::rope::Rotation;
use super::trace::Tracer;
use super::weights::{Layer, Tensors};
use crate::dense::fused::silu;
use crate::threads::Threads;

/// The state that the operations of one batch share.
pub(super) struct Pass<'p, 't> {
    pub(super) config: &'p Config,
    pub(super) threads: &'p Threads,
    pub(super) tracer: &'p mut Tracer<'t>,
    pub(super) span: Span,
    /// The rotation of each token's position.
    pub(super) rotations: Vec<Rotation>,
}

impl Pass<'_, '_> {
    /// The logits of each token: `tokens x vocabulary`.
    pub(super) fn run(
        &mut self,
        tensors: &Tensors<'_>,
        caches: &mut [Cache],
        tokens: &[u32],
    ) -> Result<Vec<f32>, ModelError> {
        let width = self.config.embedding;
        let mut stream = vec![0.0; tokens.len() * width];
        for (row, &token) in stream.chunks_exact_mut(width).zip(tokens) {
            tensors.embedding.read_row(token as usize, row);
        }
        self.tracer.enter(None);
        self.tracer.rows("inp_embd", width, &stream);
        for (index, (layer, cache)) in tensors.layers.iter().zip(caches).enumerate() {
            self.tracer.enter(Some(index));
            stream = self.layer(layer, cache, stream)?;
        }
        self.tracer.enter(None);
        let normed = self.norm("result_norm", &tensors.output_norm, stream);
        let logits = tensors
            .output
            .product(&mut Input::new(&normed, width), self.threads)?;
        self.tracer
            .rows("result_output", tensors.embedding.rows(), &logits);
        Ok(logits)
    }

    /// The residual stream after the layer.
    fn layer(
        &mut self,
        layer: &Layer<'_>,
        cache: &mut Cache,
        stream: Vec<f32>,
    ) -> Result<Vec<f32>, ModelError> {
        let width = self.config.embedding;
        let attended = self.attention(layer, cache, &stream)?;
        let stream = self.sum(attended, &stream);
        self.tracer.rows("ffn_inp", width, &stream);
        let fed = self.feed_forward(layer, &stream)?;
        let stream = self.sum(fed, &stream);
        self.tracer.rows("l_out", width, &stream);
        Ok(stream)
    }

    fn attention(
        &mut self,
        layer: &Layer<'_>,
        cache: &mut Cache,
        stream: &[f32],
    ) -> Result<Vec<f32>, ModelError> {
        let config = self.config;
        let queries_width = config.heads * config.head;
        let normed = self.norm("attn_norm", &layer.attn_norm, stream.to_vec());
        let mut x = Input::new(&normed, config.embedding);
        let mut queries = self.project_biased("Qcur", &layer.query, queries_width, &mut x)?;
        self.rotate("Qcur", config.heads, &mut queries);
        let mut keys = self.project_biased("Kcur", &layer.key, config.kv_width(), &mut x)?;
        self.rotate("Kcur", config.kv_heads, &mut keys);
        let values = self.project_biased("Vcur", &layer.value, config.kv_width(), &mut x)?;
        cache.store(self.span.first, &keys, &values);

        let merged = attend(config, cache, self.span, queries, self.threads, self.tracer);
        let Some(sub_norm) = &layer.attn_sub_norm else {
            self.tracer.rows("kqv_merged_cont", queries_width, &merged);
            let mut x = Input::new(&merged, queries_width);
            return self.project("kqv_out", &layer.attn_output, config.embedding, &mut x);
        };
        self.tracer.rows("kqv_out", queries_width, &merged);
        let normed = self.sub_norm("attn_sub_norm", sub_norm, merged);
        let mut x = Input::new(&normed, queries_width);
        self.project("attn_o_out", &layer.attn_output, config.embedding, &mut x)
    }

    fn feed_forward(&mut self, layer: &Layer<'_>, stream: &[f32]) -> Result<Vec<f32>, ModelError> {
        let config = self.config;
        let inner = config.feed_forward;
        let normed = self.norm("ffn_norm", &layer.ffn_norm, stream.to_vec());
        let mut x = Input::new(&normed, config.embedding);
        let mut gated =
            self.project_scaled(["ffn_gate", "ffn_gate_s"], &layer.gate, inner, &mut x)?;
        match config.gate {
            Gate::Silu => {
                let threads = self.threads;
                threads.each_chunk(&mut gated, inner, |_, row| silu(row));
                self.tracer.rows("ffn_silu", inner, &gated);
            }
            Gate::ReluSquared => {
                gated
                    .iter_mut()
                    .for_each(|x| *x = if *x > 0.0 { *x } else { 0.0 });
                self.tracer.rows("ffn_relu", inner, &gated);
                gated.iter_mut().for_each(|x| *x *= *x);
                self.tracer.rows("ffn_sqr(relu)", inner, &gated);
            }
        }
        let up = self.project_scaled(["ffn_up", "ffn_up_s"], &layer.up, inner, &mut x)?;
        self.threads.each_chunk(&mut gated, inner, |token, gated| {
            scale_by(gated, &up[token * inner..][..inner]);
        });
        let Some(sub_norm) = &layer.ffn_sub_norm else {
            self.tracer.rows("ffn_gate_par", inner, &gated);
            let mut x = Input::new(&gated, inner);
            return self.project("ffn_out", &layer.down, config.embedding, &mut x);
        };
        self.tracer.rows("ffn_sub_out", inner, &gated);
        let normed = self.sub_norm("ffn_sub_norm", sub_norm, gated);
        let mut x = Input::new(&normed, inner);
        self.project("ffn_down", &layer.down, config.embedding, &mut x)
    }

    /// A linear layer with its scale, traced as one node.
    fn project(
        &mut self,
        name: &str,
        linear: &Linear<'_>,
        columns: usize,
        x: &mut Input<'_>,
    ) -> Result<Vec<f32>, ModelError> {
        let out = linear.forward(x, self.threads)?;
        self.tracer.rows(name, columns, &out);
        Ok(out)
    }

    /// A linear layer whose product and sum with the bias are traced as separate nodes of the same name.
    fn project_biased(
        &mut self,
        name: &str,
        linear: &Linear<'_>,
        columns: usize,
        x: &mut Input<'_>,
    ) -> Result<Vec<f32>, ModelError> {
        let mut out = self.project(name, linear, columns, x)?;
        if let Some(bias) = linear.bias() {
            for row in out.chunks_exact_mut(columns) {
                row.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
            }
            self.tracer.rows(name, columns, &out);
        }
        Ok(out)
    }

    /// A linear layer whose product and scaled product are traced as separate nodes.
    fn project_scaled(
        &mut self,
        names: [&str; 2],
        linear: &Linear<'_>,
        columns: usize,
        x: &mut Input<'_>,
    ) -> Result<Vec<f32>, ModelError> {
        let mut out = linear.product(x, self.threads)?;
        self.tracer.rows(names[0], columns, &out);
        if let Some(scale) = linear.scale() {
            out.iter_mut().for_each(|value| *value *= scale);
            self.tracer.rows(names[1], columns, &out);
        }
        Ok(out)
    }

    /// Rotates the heads of each token by the rotation of its position.
    fn rotate(&mut self, name: &str, heads: usize, rows: &mut [f32]) {
        let head = self.config.head;
        for (row, rotation) in rows.chunks_exact_mut(heads * head).zip(&self.rotations) {
            self.config.rope.apply(rotation, head, row);
        }
        self.tracer
            .node(name, [head, heads, self.span.tokens], rows);
    }

    /// RMS norm of each row, multiplied by the weights.
    fn norm(&mut self, name: &str, weights: &[f32], mut rows: Vec<f32>) -> Vec<f32> {
        let (columns, epsilon) = (weights.len(), self.config.rms_epsilon);
        let threads = self.threads;
        threads.each_chunk(&mut rows, NORM_ROWS * columns, |_, rows| {
            rms_norm(rows, columns, epsilon);
        });
        self.tracer.rows("norm", columns, &rows);
        threads.each_chunk(&mut rows, columns, |_, row| scale_by(row, weights));
        self.tracer.rows(name, columns, &rows);
        rows
    }

    /// Applies a sub-norm, unless the configuration disables sub-norms.
    fn sub_norm(&mut self, name: &str, weights: &[f32], rows: Vec<f32>) -> Vec<f32> {
        if self.config.sub_norms {
            self.norm(name, weights, rows)
        } else {
            rows
        }
    }

    fn sum(&self, mut a: Vec<f32>, b: &[f32]) -> Vec<f32> {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    }
}

/// Rows that are normalized together. Their sums are independent dependency chains.
const NORM_ROWS: usize = 4;

/// `ggml_compute_forward_rms_norm_f32` for up to [`NORM_ROWS`] rows: squares in f32, their sum in f64, the mean in f32.
fn rms_norm(rows: &mut [f32], columns: usize, epsilon: f32) {
    let mut sums = [0.0f64; NORM_ROWS];
    if let Some([a, b, c, d]) = as_four(rows, columns) {
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            for (sum, value) in sums.iter_mut().zip([a, b, c, d]) {
                *sum += f64::from(value * value);
            }
        }
    } else {
        for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(columns)) {
            *sum = row.iter().map(|value| f64::from(value * value)).sum();
        }
    }
    for (row, sum) in rows.chunks_exact_mut(columns).zip(sums) {
        let mean = (sum / columns as f64) as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        row.iter_mut().for_each(|value| *value *= scale);
    }
}

/// `rows` as four rows of `columns`, if there are at least four.
fn as_four(rows: &[f32], columns: usize) -> Option<[&[f32]; NORM_ROWS]> {
    let mut rows = rows.chunks_exact(columns);
    Some([rows.next()?, rows.next()?, rows.next()?, rows.next()?])
}

/// Multiplies a row by `factors`, element by element.
fn scale_by(row: &mut [f32], factors: &[f32]) {
    row.iter_mut()
        .zip(factors)
        .for_each(|(value, factor)| *value *= factor);
}
