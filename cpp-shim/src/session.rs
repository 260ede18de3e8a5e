//! A model, opened by an oracle.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::describe::{Format, string};
use crate::error::{OracleError, Status};
use crate::ffi::{oracle_graph, oracle_session, oracle_session_info, oracle_session_params};
use crate::node::{Node, Trace, pass_on};
use crate::table::Table;

/// Who puts a model's operations together to a graph. Either way they are the implementation's own operations, run by its
/// own executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graph {
    /// The implementation; for an architecture that it has no graph for, the oracle.
    #[default]
    Auto,
    /// The oracle, also where the implementation could, so that one can be held to the other.
    Ops,
}

impl Graph {
    fn to_ffi(self) -> oracle_graph {
        match self {
            Self::Auto => oracle_graph::ORACLE_GRAPH_AUTO,
            Self::Ops => oracle_graph::ORACLE_GRAPH_OPS,
        }
    }
}

/// How a session computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionParams {
    /// Positions that fit, at least 1; the oracle may round up.
    pub n_ctx: u32,
    /// Tokens that one decode takes at most.
    pub n_batch: u32,
    /// Tokens computed in one go, at most `n_batch`.
    pub n_ubatch: u32,
    /// At least 1.
    pub threads: u32,
    /// Element type of the key-value cache: [`Format::F16`] or [`Format::F32`].
    pub kv_format: Format,
    /// Whose graph computes.
    pub graph: Graph,
}

impl Default for SessionParams {
    /// 512 positions, decoded in one go on one thread, an f16 cache, whatever graph there is.
    fn default() -> Self {
        Self {
            n_ctx: 512,
            n_batch: 512,
            n_ubatch: 512,
            threads: 1,
            kv_format: Format::F16,
            graph: Graph::Auto,
        }
    }
}

/// A model, opened, with a context to decode in. Keeps the oracle loaded; dropping it frees the
/// context, then the model.
pub struct Session {
    handle: NonNull<oracle_session>,
    table: Arc<Table>,
    info: oracle_session_info,
    graph: String,
    decoded: usize,
}

// SAFETY: the ABI allows a session on any thread, one at a time; `&mut self` and the raw pointer
// (which keeps `Session` from being `Sync`) see to the latter.
unsafe impl Send for Session {}

impl Session {
    pub(crate) fn open(
        table: Arc<Table>,
        model: &Path,
        params: &SessionParams,
    ) -> Result<Self, OracleError> {
        let refused = |status, message: String| Err(table.refused("session_open", status, message));
        let Ok(path) = CString::new(model.as_os_str().as_bytes()) else {
            return refused(Status::BadArgument, "the path has a NUL byte in it".into());
        };
        let raw = oracle_session_params {
            n_ctx: params.n_ctx,
            n_batch: params.n_batch,
            n_ubatch: params.n_ubatch,
            n_threads: params.threads,
            kv_format: params.kv_format.to_ffi(),
            graph: params.graph.to_ffi(),
        };
        let Some(handle) = NonNull::new(table.session_open(&path, &raw)?) else {
            return refused(Status::Failed, "no session, and no reason why".into());
        };
        let info = oracle_session_info {
            n_vocab: 0,
            n_ctx: 0,
            n_batch: 0,
            n_layer: 0,
            n_embd: 0,
            graph: std::ptr::null(),
        };
        // From here on, an early return closes the session.
        let mut session = Self {
            handle,
            table,
            info,
            graph: String::new(),
            decoded: 0,
        };
        // SAFETY: the handle was just opened by this oracle.
        session.info = unsafe { session.table.session_info(handle.as_ptr()) }?;
        // SAFETY: a string by the ABI, since the information was just given.
        session.graph = unsafe { string(session.info.graph) };
        Ok(session)
    }

    /// Tokens in the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.info.n_vocab as usize
    }

    /// Positions that fit.
    pub fn n_ctx(&self) -> usize {
        self.info.n_ctx as usize
    }

    /// Tokens that one decode takes at most.
    pub fn n_batch(&self) -> usize {
        self.info.n_batch as usize
    }

    /// Layers of the model.
    pub fn n_layer(&self) -> usize {
        self.info.n_layer as usize
    }

    /// Width of the model.
    pub fn n_embd(&self) -> usize {
        self.info.n_embd as usize
    }

    /// Whose graph computes, in a few words, such as `llama.cpp` or `ggml ops of the shim`.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// Positions decoded so far, those forgotten not counted.
    pub fn decoded(&self) -> usize {
        self.decoded
    }

    /// Decodes tokens at the positions after those decoded so far.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for no or too many tokens, one outside the vocabulary, or a full
    /// context. The positions decoded before remain.
    pub fn decode(&mut self, tokens: &[i32]) -> Result<(), OracleError> {
        // SAFETY: our own open session, borrowed exclusively; no callback.
        let result = unsafe {
            let handle = self.handle.as_ptr();
            self.table
                .session_decode(handle, tokens, self.decoded, None, std::ptr::null_mut())
        };
        self.advance(tokens, result)
    }

    /// Like [`Session::decode`]; `sink` sees each node right after it was computed.
    ///
    /// # Errors
    ///
    /// As [`Session::decode`].
    ///
    /// # Panics
    ///
    /// If `sink` does: the decode is stopped and the panic goes on.
    pub fn decode_traced(
        &mut self,
        tokens: &[i32],
        sink: &mut dyn FnMut(Node<'_>),
    ) -> Result<(), OracleError> {
        let mut trace = Trace::new(sink);
        // SAFETY: our own open session, borrowed exclusively; `pass_on` takes a `Trace`, which
        // outlives the call.
        let result = unsafe {
            let handle = self.handle.as_ptr();
            let user = (&raw mut trace).cast();
            self.table
                .session_decode(handle, tokens, self.decoded, Some(pass_on), user)
        };
        if let Some(panic) = trace.into_panic() {
            resume_unwind(panic);
        }
        self.advance(tokens, result)
    }

    fn advance(
        &mut self,
        tokens: &[i32],
        result: Result<(), OracleError>,
    ) -> Result<(), OracleError> {
        if result.is_ok() {
            self.decoded += tokens.len();
        }
        result
    }

    /// Forgets the positions from `position` on, so that the next decode starts there. Does nothing
    /// if so many are not decoded.
    pub fn rewind(&mut self, position: usize) {
        self.decoded = self.decoded.min(position);
    }

    /// The `n_vocab` logits of a decoded position.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for a position that is not decoded.
    pub fn logits(&self, position: usize) -> Result<&[f32], OracleError> {
        let table = &self.table;
        if position >= self.decoded {
            return Err(table.refused(
                "session_logits",
                Status::BadArgument,
                format!(
                    "position {position} is not decoded: {} positions are",
                    self.decoded
                ),
            ));
        }
        // SAFETY: our own open session.
        let (logits, n) = unsafe { table.session_logits(self.handle.as_ptr(), position) }?;
        // SAFETY: `n` values that stay until the next decode or close, both of which need `&mut
        // self`.
        Ok(unsafe { std::slice::from_raw_parts(logits, n) })
    }

    /// Token ids of a text, with the special tokens that the model wants around it. Special tokens
    /// spelled out in the text are not recognised.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] with [`Status::Unsupported`] if the model has no tokenizer.
    pub fn tokenize(&self, text: &str) -> Result<Vec<i32>, OracleError> {
        let table = &self.table;
        // A token per byte, and those around it; if a model needs more, the first attempt says how
        // many.
        let mut tokens = vec![0; text.len() + 8];
        loop {
            // SAFETY: our own open session.
            let n =
                unsafe { table.session_tokenize(self.handle.as_ptr(), text, true, &mut tokens) }?;
            let fits = n <= tokens.len();
            tokens.resize(n, 0);
            if fits {
                return Ok(tokens);
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: our own open session, used for the last time.
        unsafe { self.table.session_close(self.handle.as_ptr()) };
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("layers", &self.n_layer())
            .field("info", &self.info)
            .field("decoded", &self.decoded)
            .finish_non_exhaustive()
    }
}
