//! The participants of a run. Each has a context that evaluates the same tokens repeatedly and keeps the last logits.

use std::path::Path;

use cpp_shim::{Oracle, Session, SessionParams};
use qk256::model::{Context, ContextParams, Model, NoTrace};

use crate::implementation::ImplementationError;

/// Id of the Rust implementation in errors.
pub(super) const RUST: &str = "qk256";

/// Wraps an error of an implementation.
pub(super) fn failed(
    implementation: &str,
    operation: &'static str,
    reason: impl ToString,
) -> ImplementationError {
    ImplementationError::failed(implementation, operation, reason)
}

/// Size of the contexts and number of threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Size of the context in positions, and number of tokens evaluated at once.
    pub(super) positions: usize,
    pub(super) threads: usize,
}

/// A context of the Rust implementation or of an oracle.
pub(super) enum Decoder<'m> {
    Rust(Context<'m>),
    Oracle(String, Session),
}

impl<'m> Decoder<'m> {
    pub(super) fn rust(
        model: &'m Model<'m>,
        room: Room,
    ) -> Result<Decoder<'m>, ImplementationError> {
        let params = ContextParams {
            n_ctx: room.positions,
            n_ubatch: room.positions,
            threads: room.threads,
            ..ContextParams::default()
        };
        let context = Context::new(model, params);
        Ok(Decoder::Rust(
            context.map_err(|error| failed(RUST, "open", error))?,
        ))
    }

    pub(super) fn oracle(
        oracle: &Oracle,
        model: &Path,
        room: Room,
    ) -> Result<Decoder<'m>, ImplementationError> {
        let fit = |n: usize| u32::try_from(n).map_err(|error| failed(oracle.id(), "open", error));
        let positions = fit(room.positions)?;
        let params = SessionParams {
            n_ctx: positions,
            n_batch: positions,
            n_ubatch: positions,
            threads: fit(room.threads)?,
            ..SessionParams::default()
        };
        let session = oracle.open(model, &params);
        let session = session.map_err(|error| failed(oracle.id(), "open", error))?;
        Ok(Decoder::Oracle(oracle.id().into(), session))
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Decoder::Rust(_) => RUST,
            Decoder::Oracle(id, _) => id,
        }
    }

    /// Decodes `tokens` after the first `context` positions, which must be decoded already. Sets `logits` to those of
    /// all tokens, `tokens.len() x vocabulary`, row-major.
    pub(super) fn decode(
        &mut self,
        context: usize,
        tokens: &[u32],
        logits: &mut Vec<f32>,
    ) -> Result<(), ImplementationError> {
        match self {
            Decoder::Rust(rust) => {
                rust.rewind(context);
                *logits = rust
                    .decode(tokens, &mut NoTrace)
                    .map_err(|error| failed(RUST, "decode", error))?;
            }
            Decoder::Oracle(id, session) => {
                session.rewind(context);
                let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
                session
                    .decode(&ids)
                    .map_err(|error| failed(id, "decode", error))?;
                logits.clear();
                for position in context..context + tokens.len() {
                    let row = session.logits(position);
                    logits.extend_from_slice(row.map_err(|error| failed(id, "logits", error))?);
                }
            }
        }
        Ok(())
    }
}
