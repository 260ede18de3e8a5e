//! Sessions: models opened by an oracle.

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

/// The source of a model's graph. In both cases the graph consists of the implementation's operations and runs in the
/// implementation's executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Graph {
    /// The implementation's graph, or the oracle's if the implementation has none for the architecture.
    #[default]
    Auto,
    /// Always the oracle's graph, for comparison with that of the implementation.
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

/// The parameters of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionParams {
    /// Maximum number of positions, at least 1. The oracle may round it up.
    pub n_ctx: u32,
    /// Maximum number of tokens per decode.
    pub n_batch: u32,
    /// Maximum number of tokens computed at once, at most `n_batch`.
    pub n_ubatch: u32,
    /// Number of threads, at least 1.
    pub threads: u32,
    /// Element type of the key-value cache: [`Format::F16`] or [`Format::F32`].
    pub kv_format: Format,
    /// The source of the graph.
    pub graph: Graph,
}

impl Default for SessionParams {
    /// 512 positions, decoded at once on one thread, with an f16 cache and [`Graph::Auto`].
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

/// An open model with a context for decoding. It keeps the oracle loaded. Dropping it frees the context and the model.
pub struct Session {
    handle: NonNull<oracle_session>,
    table: Arc<Table>,
    info: oracle_session_info,
    graph: String,
    decoded: usize,
}

// SAFETY: the ABI allows a session on any thread, one at a time. The latter holds because decoding takes `&mut self`,
// and because the raw pointer makes `Session` not `Sync`.
unsafe impl Send for Session {}

impl Session {
    pub(crate) fn open(
        table: Arc<Table>,
        model: &Path,
        params: &SessionParams,
        kv_format: u32,
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
            kv_format,
            graph: params.graph.to_ffi(),
        };
        let Some(handle) = NonNull::new(table.session_open(&path, &raw)?) else {
            return refused(Status::Failed, "it returned no session and no error".into());
        };
        let info = oracle_session_info {
            n_vocab: 0,
            n_ctx: 0,
            n_batch: 0,
            n_layer: 0,
            n_embd: 0,
            graph: std::ptr::null(),
        };
        // From here on, dropping `session` closes it on an early return.
        let mut session = Self {
            handle,
            table,
            info,
            graph: String::new(),
            decoded: 0,
        };
        // SAFETY: the handle was just opened by this oracle.
        session.info = unsafe { session.table.session_info(handle.as_ptr()) }?;
        // SAFETY: by the ABI, the information that was just returned contains a string.
        session.graph = unsafe { string(session.info.graph) };
        Ok(session)
    }

    /// Number of tokens in the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.info.n_vocab as usize
    }

    /// Maximum number of positions.
    pub fn n_ctx(&self) -> usize {
        self.info.n_ctx as usize
    }

    /// Maximum number of tokens per decode.
    pub fn n_batch(&self) -> usize {
        self.info.n_batch as usize
    }

    /// Number of layers of the model.
    pub fn n_layer(&self) -> usize {
        self.info.n_layer as usize
    }

    /// Width of the embedding.
    pub fn n_embd(&self) -> usize {
        self.info.n_embd as usize
    }

    /// Short description of the graph's source, such as `llama.cpp` or `ggml ops of the shim`.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// Number of decoded positions. Positions removed by [`rewind`](Session::rewind) are not counted.
    pub fn decoded(&self) -> usize {
        self.decoded
    }

    /// Decodes tokens at the positions after those decoded so far.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] if there are no tokens or too many, if a token is outside the vocabulary, or if the
    /// context is full. Positions that were decoded before the call remain.
    pub fn decode(&mut self, tokens: &[i32]) -> Result<(), OracleError> {
        // SAFETY: the session is open and exclusively borrowed; there is no callback.
        let result = unsafe {
            let handle = self.handle.as_ptr();
            self.table
                .session_decode(handle, tokens, self.decoded, None, std::ptr::null_mut())
        };
        self.advance(tokens, result)
    }

    /// As [`Session::decode`]. `sink` receives each node right after its computation.
    ///
    /// # Errors
    ///
    /// As [`Session::decode`].
    ///
    /// # Panics
    ///
    /// If `sink` panics. The decode is stopped before the panic is propagated.
    pub fn decode_traced(
        &mut self,
        tokens: &[i32],
        sink: &mut dyn FnMut(Node<'_>),
    ) -> Result<(), OracleError> {
        let mut trace = Trace::new(sink);
        // SAFETY: the session is open and exclusively borrowed; `pass_on` expects a `Trace`, which outlives the call.
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

    /// Removes the positions from `position` on, so that the next decode starts there. Does nothing if fewer positions
    /// are decoded.
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
        // SAFETY: the session is open.
        let (logits, n) = unsafe { table.session_logits(self.handle.as_ptr(), position) }?;
        // SAFETY: the `n` values are valid until the next decode or close, both of which need `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(logits, n) })
    }

    /// Token ids of a text, with the model's special tokens for its start and end. Special tokens in the text itself
    /// are not recognised.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] with [`Status::Unsupported`] if the model has no tokenizer.
    pub fn tokenize(&self, text: &str) -> Result<Vec<i32>, OracleError> {
        let table = &self.table;
        // Enough for one token per byte and the special tokens. If a model needs more, the first attempt returns the
        // number.
        let mut tokens = vec![0; text.len() + 8];
        loop {
            // SAFETY: the session is open.
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
        // SAFETY: the session is open and not used again.
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
