//! Sessions of an oracle in this process.

use std::collections::HashMap;
use std::path::Path;

use cpp_shim::{Node, Oracle, OracleError, Session, SessionParams, Status};

use super::lineage::Lineage;
use crate::inference::{Inference, InferenceError, InferenceParams, TracedNode};

/// A model that an oracle has opened.
pub struct SessionImplementation {
    id: String,
    session: Session,
    lineage: Lineage,
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
        let params = SessionParams {
            n_ctx,
            n_batch: n_ctx,
            n_ubatch: size(params.n_ubatch).min(n_ctx),
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
                let mut seen = HashMap::new();
                session.decode_traced(&ids, &mut |node| {
                    if let Some(node) = traced(&node, lineage, &mut seen) {
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

/// Converts a node, if it has a name and f32 values of its own. `seen` counts names.
fn traced(
    node: &Node<'_>,
    lineage: &mut Lineage,
    seen: &mut HashMap<String, usize>,
) -> Option<TracedNode> {
    let inputs = lineage.follow(node)?;
    let mut ne = [0; 4];
    for (ne, extent) in ne.iter_mut().zip(node.ne) {
        *ne = usize::try_from(extent).ok()?;
    }
    let values = node.f32_values()?;
    let count = seen.entry(node.name.to_owned()).or_default();
    let occurrence = *count;
    *count += 1;
    Some(TracedNode {
        name: node.name.to_owned(),
        occurrence,
        op: Some(node.op.to_owned()),
        inputs,
        ne,
        values,
    })
}
