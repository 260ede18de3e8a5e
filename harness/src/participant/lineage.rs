//! Finds the nodes from which a node was computed, through the views, copies and unnamed tensors that the oracle has in
//! between.

use std::collections::HashMap;

use cpp_shim::Node;

use super::names::UNNAMED;

/// Operations without a computation: the result is their first input with another shape or in another place.
const SEEN_THROUGH: [&str; 4] = ["VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE"];

/// Operations that copy their first input into their last one.
const COPIES: [&str; 2] = ["CPY", "SET_ROWS"];

/// Tracks the nodes of a session in the order of computation.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    /// Tensors that are views, copies or unnamed, with the tensors that they stand for.
    stands_for: HashMap<String, Vec<String>>,
    /// Memory that is no node, such as a cache, with the tensors last copied into it.
    holds: HashMap<String, Vec<String>>,
}

impl Lineage {
    /// Records the next node. Returns the names of the nodes and leaves that it was computed from, or none if it has no
    /// name or no f32 values of its own.
    pub(super) fn follow(&mut self, node: &Node<'_>) -> Option<Vec<String>> {
        let copies = COPIES.contains(&node.op);
        let is_seen_through = copies || SEEN_THROUGH.contains(&node.op);
        if !is_seen_through && !node.name.starts_with(UNNAMED) {
            return (node.element == "f32").then(|| self.sources(node.inputs));
        }
        let from = if copies {
            &node.inputs[..node.inputs.len().min(1)]
        } else {
            node.inputs
        };
        let original: Vec<String> = from.iter().flat_map(|name| self.original(name)).collect();
        if let (true, Some(place)) = (copies, node.inputs.last()) {
            for place in self.original(place) {
                self.holds.insert(place, original.clone());
            }
        }
        self.stands_for.insert(node.name.to_owned(), original);
        None
    }

    /// The tensors that a tensor stands for.
    fn original(&self, name: &str) -> Vec<String> {
        self.stands_for
            .get(name)
            .cloned()
            .unwrap_or_else(|| vec![name.to_owned()])
    }

    /// The tensors that these tensors stand for or hold, without duplicates.
    fn sources(&self, names: &[&str]) -> Vec<String> {
        let mut sources = Vec::new();
        for name in names.iter().flat_map(|name| self.original(name)) {
            for source in self.holds.get(&name).unwrap_or(&vec![name]) {
                if !sources.contains(source) {
                    sources.push(source.clone());
                }
            }
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(lineage: &mut Lineage, name: &str, op: &str, inputs: &[&str]) -> Option<Vec<String>> {
        lineage.follow(&Node {
            name,
            op,
            element: "f32",
            inputs,
            ne: [1; 4],
            nb: [4; 4],
            data: &[],
        })
    }

    #[test]
    fn views_copies_caches_and_unnamed_tensors_are_resolved() {
        let mut lineage = Lineage::default();
        let mut next = |name, op, inputs: &[&str]| follow(&mut lineage, name, op, inputs);
        let product = next("K", "MUL_MAT", &["w", "x"]).unwrap();
        assert_eq!(product, ["w", "x"]);
        assert_eq!(next("K (transposed)", "TRANSPOSE", &["K"]), None);
        assert_eq!(next("cache (view)", "VIEW", &["cache"]), None);
        assert_eq!(
            next("copy", "CPY", &["K (transposed)", "cache (view)"]),
            None
        );
        assert_eq!(next("k", "VIEW", &["cache"]), None);
        assert_eq!(next("node_7", "GET_ROWS", &["copy", "ids"]), None);
        let scores = next("kq", "MUL_MAT", &["k", "node_7"]).unwrap();
        assert_eq!(scores, ["K", "ids"]);
    }

    #[test]
    fn tensors_of_other_elements_are_no_nodes() {
        let mut lineage = Lineage::default();
        let half = Node {
            name: "h",
            op: "MUL",
            element: "f16",
            inputs: &["a"],
            ne: [1; 4],
            nb: [2; 4],
            data: &[],
        };
        assert_eq!(lineage.follow(&half), None);
    }
}
