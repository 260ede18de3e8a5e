//! Sessions of an oracle in this process.

use std::collections::HashMap;
use std::path::Path;

use cpp_shim::{Node, Oracle, OracleError, Session, SessionParams, Status};

use super::lineage::Lineage;
use super::names;
use crate::inference::{Inference, InferenceError, InferenceParams, TracedNode};
use crate::mapped;

/// A model that an oracle has opened.
pub struct SessionImplementation {
    id: String,
    session: Session,
    lineage: Lineage,
    /// `general.architecture` of the model; empty if the file does not name it.
    architecture: String,
    /// Maximal number of tokens computed at once.
    n_ubatch: usize,
}

impl SessionImplementation {
    /// Opens the model at `path`.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] if the oracle has no code for the model, and [`InferenceError::Refused`] for any
    /// other error. A damaged file may make the oracle abort the process.
    pub fn open(
        oracle: &Oracle,
        path: &Path,
        params: &InferenceParams,
    ) -> Result<SessionImplementation, InferenceError> {
        let id = oracle.id().to_owned();
        // Numbers that are too large are refused by the oracle.
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let n_ctx = size(params.n_ctx);
        let n_ubatch = size(params.n_ubatch).min(n_ctx);
        let params = SessionParams {
            n_ctx,
            n_batch: n_ctx,
            n_ubatch,
            threads: size(params.threads),
            ..SessionParams::default()
        };
        let session = oracle
            .open(path, &params)
            .map_err(|error| refused(&id, &error))?;
        Ok(SessionImplementation {
            id,
            session,
            lineage: Lineage::default(),
            architecture: architecture(path),
            n_ubatch: n_ubatch as usize,
        })
    }
}

fn refused(implementation: &str, error: &OracleError) -> InferenceError {
    let (implementation, reason) = (implementation.to_owned(), words(error));
    match error.status() {
        Some(Status::Unsupported) => InferenceError::Unsupported {
            implementation,
            reason,
        },
        _ => InferenceError::Refused {
            implementation,
            reason,
        },
    }
}

/// The oracle's message without its id, which the caller adds.
fn words(error: &OracleError) -> String {
    match error {
        OracleError::Refused { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

impl Inference for SessionImplementation {
    fn id(&self) -> &str {
        &self.id
    }

    fn vocabulary(&self) -> usize {
        self.session.n_vocab()
    }

    fn graph(&self) -> &str {
        self.session.graph()
    }

    fn decode(
        &mut self,
        tokens: &[u32],
        sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError> {
        let SessionImplementation {
            id,
            session,
            lineage,
            architecture,
            n_ubatch,
        } = self;
        let first = session.decoded();
        // A token beyond i32 is outside every vocabulary. So is the largest i32.
        let ids: Vec<i32> = tokens
            .iter()
            .map(|&token| i32::try_from(token).unwrap_or(i32::MAX))
            .collect();
        let decoded = match sink {
            None => session.decode(&ids),
            Some(sink) => {
                let mut tracer = Tracer {
                    architecture,
                    lineage,
                    renamed: HashMap::new(),
                    seen: HashMap::new(),
                    first,
                    tokens: ids.len(),
                    n_ubatch: *n_ubatch,
                };
                session.decode_traced(&ids, &mut |node| {
                    if let Some(node) = tracer.traced(&node) {
                        sink(node);
                    }
                })
            }
        };
        decoded.map_err(|error| refused(id, &error))?;
        let mut logits = Vec::with_capacity(tokens.len() * session.n_vocab());
        for position in first..session.decoded() {
            let row = session.logits(position);
            logits.extend(row.map_err(|error| refused(id, &error))?);
        }
        Ok(logits)
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let ids = self
            .session
            .tokenize(text)
            .map_err(|error| refused(&self.id, &error))?;
        let token = |&id: &i32| {
            u32::try_from(id).map_err(|_| InferenceError::Refused {
                implementation: self.id.clone(),
                reason: format!("the tokenizer gave token {id}"),
            })
        };
        ids.iter().map(token).collect()
    }
}

/// The architecture that a model names. A file that cannot be read has none; the oracle has read it.
fn architecture(path: &Path) -> String {
    let file = mapped::opened(path).or_else(|| mapped::open(path).ok());
    let name = |file: &mapped::Mapped| {
        file.view()
            .str("general.architecture")
            .ok()
            .map(String::from)
    };
    file.and_then(|file| name(&file)).unwrap_or_default()
}

/// Converts the nodes of one decode.
struct Tracer<'a> {
    architecture: &'a str,
    lineage: &'a mut Lineage,
    /// Canonical names of nodes that have another one.
    renamed: HashMap<String, String>,
    /// Number of nodes of each canonical name.
    seen: HashMap<String, usize>,
    /// The first position of the decode, and the number of its tokens.
    first: usize,
    tokens: usize,
    n_ubatch: usize,
}

impl Tracer<'_> {
    /// Converts a node, if it has a name and f32 values of its own.
    fn traced(&mut self, node: &Node<'_>) -> Option<TracedNode> {
        let canonical = names::canonical(self.architecture, node.name, node.op, node.inputs);
        // With its name a node counts as one, also if the oracle has none for it.
        let mut inputs = self.lineage.follow(&Node {
            name: canonical.as_deref().unwrap_or(node.name),
            ..*node
        })?;
        for input in &mut inputs {
            if let Some(name) = self.renamed.get(input) {
                input.clone_from(name);
            }
        }
        let mut ne = [0; 4];
        for (ne, extent) in ne.iter_mut().zip(node.ne) {
            *ne = usize::try_from(extent).ok()?;
        }
        let mut values = node.f32_values()?;
        let name = match canonical {
            Some(name) => {
                self.renamed.insert(node.name.to_owned(), name.clone());
                name
            }
            None => node.name.to_owned(),
        };
        let count = self.seen.entry(name.clone()).or_default();
        let occurrence = *count;
        *count += 1;
        // Each occurrence is of another ubatch.
        let done = ((occurrence + 1) * self.n_ubatch).min(self.tokens);
        let kind = names::kind_and_layer(&name).0;
        if let Some(kept) = names::padded(kind, self.first + done).filter(|&kept| kept < ne[0]) {
            values = values
                .chunks_exact(ne[0])
                .flat_map(|row| &row[..kept])
                .copied()
                .collect();
            ne[0] = kept;
        }
        Some(TracedNode {
            name,
            occurrence,
            op: Some(node.op.to_owned()),
            inputs,
            ne,
            values,
        })
    }
}
