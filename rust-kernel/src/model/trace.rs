//! The intermediate results of a forward pass, with the names of llama.cpp.

use std::collections::HashMap;

/// An intermediate result.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// The operation and, except for the first and last nodes, the layer, such as `attn_norm-0`.
    pub name: &'a str,
    /// Number of earlier nodes with this name in the same decode.
    pub occurrence: usize,
    /// Number of elements in each dimension, the contiguous one first.
    pub ne: [usize; 3],
    /// All elements, in the order of `ne`.
    pub values: &'a [f32],
}

/// Receives the nodes of a forward pass in the order of computation.
pub trait Trace {
    /// Whether nodes are recorded. Called once per decode.
    fn is_on(&self) -> bool {
        true
    }

    /// Receives a node. Its values are valid only during the call.
    fn node(&mut self, node: Node<'_>);
}

/// A trace that records no nodes.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    fn is_on(&self) -> bool {
        false
    }

    fn node(&mut self, _: Node<'_>) {}
}

impl<F: FnMut(Node<'_>)> Trace for F {
    fn node(&mut self, node: Node<'_>) {
        self(node);
    }
}

/// Passes the nodes of one decode to a trace, with their names and occurrences.
pub(super) struct Tracer<'t> {
    sink: Option<&'t mut dyn Trace>,
    seen: HashMap<String, usize>,
    /// The layer, which is appended to the names. `None` outside layers.
    layer: Option<usize>,
}

impl<'t> Tracer<'t> {
    pub(super) fn new(sink: &'t mut dyn Trace) -> Tracer<'t> {
        Tracer {
            sink: sink.is_on().then_some(sink),
            seen: HashMap::new(),
            layer: None,
        }
    }

    /// Whether nodes are recorded.
    pub(super) fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// Sets the layer of the following nodes.
    pub(super) fn enter(&mut self, layer: Option<usize>) {
        self.layer = layer;
    }

    /// Records a node of rows of `columns` values.
    pub(super) fn rows(&mut self, name: &str, columns: usize, values: &[f32]) {
        self.node(name, [columns, values.len() / columns, 1], values);
    }

    /// Records a node.
    pub(super) fn node(&mut self, name: &str, ne: [usize; 3], values: &[f32]) {
        let Some(sink) = &mut self.sink else { return };
        let name = match self.layer {
            Some(layer) => format!("{name}-{layer}"),
            None => name.to_owned(),
        };
        let seen = self.seen.entry(name.clone()).or_default();
        sink.node(Node {
            name: &name,
            occurrence: *seen,
            ne,
            values,
        });
        *seen += 1;
    }
}
