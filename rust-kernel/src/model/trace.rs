//! The intermediate results of a forward pass, by the names that llama.cpp gives them.

use std::collections::HashMap;

/// An intermediate result, right after it was computed.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// Such as `attn_norm-0`: the operation and, but for the first and last nodes, the layer.
    pub name: &'a str,
    /// How often this name came before in the same decode: 0 for the first.
    pub occurrence: usize,
    /// Elements along each dimension, the contiguous one first.
    pub ne: [usize; 3],
    /// All elements, in the order of `ne`.
    pub values: &'a [f32],
}

/// Receives the nodes of a forward pass in the order of computation.
pub trait Trace {
    /// Whether nodes are wanted at all; asked once a decode.
    fn is_on(&self) -> bool {
        true
    }

    /// Takes a node. Its values are gone afterwards.
    fn node(&mut self, node: Node<'_>);
}

/// Wants no nodes.
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

/// Names the nodes of one decode and counts the names.
pub(super) struct Tracer<'t> {
    sink: Option<&'t mut dyn Trace>,
    seen: HashMap<String, usize>,
    /// What follows the name: the layer, between layers nothing.
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

    /// Whether anybody wants nodes.
    pub(super) fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// The layer that the nodes to come belong to.
    pub(super) fn enter(&mut self, layer: Option<usize>) {
        self.layer = layer;
    }

    /// Passes on a node of rows of `columns` values.
    pub(super) fn rows(&mut self, name: &str, columns: usize, values: &[f32]) {
        self.node(name, [columns, values.len() / columns, 1], values);
    }

    /// Passes on a node.
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
