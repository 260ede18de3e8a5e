//! The functions for sessions.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use super::Table;
use crate::error::OracleError;
use crate::ffi::{
    oracle_node_callback, oracle_session, oracle_session_info, oracle_session_params,
};

impl Table {
    pub(crate) fn session_open(
        &self,
        path: &CStr,
        params: &oracle_session_params,
    ) -> Result<*mut oracle_session, OracleError> {
        // Without `session_close`, a session could not be freed.
        function!(self, session_close);
        let session_open = function!(self, session_open);
        let mut session = std::ptr::null_mut();
        // SAFETY: the path is NUL-terminated, and the parameters and the location for the handle are valid.
        self.call("session_open", |message| unsafe {
            session_open(path.as_ptr(), params, &raw mut session, message)
        })?;
        Ok(session)
    }

    /// # Safety
    ///
    /// `session` must be a session of this table's `session_open`, and must not be used again.
    pub(crate) unsafe fn session_close(&self, session: *mut oracle_session) {
        if let Some(session_close) = self.api.session_close {
            // SAFETY: the session is an open session of this oracle, by this function's contract.
            unsafe { session_close(session) };
        }
    }

    /// # Safety
    ///
    /// `session` must be an open session of this table.
    pub(crate) unsafe fn session_info(
        &self,
        session: *const oracle_session,
    ) -> Result<oracle_session_info, OracleError> {
        let session_info = function!(self, session_info);
        let mut info = MaybeUninit::uninit();
        // SAFETY: the session is open, by this function's contract, and the location for the result is valid.
        self.call("session_info", |message| unsafe {
            session_info(session, info.as_mut_ptr(), message)
        })?;
        // SAFETY: the call succeeded, so the structure is initialized.
        Ok(unsafe { info.assume_init() })
    }

    /// # Safety
    ///
    /// `session` must be an open session of this table that is not otherwise used. If there is a `callback`, it must be
    /// sound to call it with `user` during the call.
    pub(crate) unsafe fn session_decode(
        &self,
        session: *mut oracle_session,
        tokens: &[i32],
        first: usize,
        callback: oracle_node_callback,
        user: *mut std::ffi::c_void,
    ) -> Result<(), OracleError> {
        let session_decode = function!(self, session_decode);
        // SAFETY: session, callback and user are valid by this function's contract; the tokens are a live slice.
        self.call("session_decode", |message| unsafe {
            let (tokens, n) = (tokens.as_ptr(), tokens.len());
            session_decode(session, tokens, n, first as u64, callback, user, message)
        })
    }

    /// The pointer is valid until the session decodes again or is closed.
    ///
    /// # Safety
    ///
    /// `session` must be an open session of this table.
    pub(crate) unsafe fn session_logits(
        &self,
        session: *const oracle_session,
        position: usize,
    ) -> Result<(*const f32, usize), OracleError> {
        let session_logits = function!(self, session_logits);
        let (mut logits, mut n) = (std::ptr::null(), 0);
        // SAFETY: the session is open, by this function's contract, and the locations for the results are valid.
        self.call("session_logits", |message| unsafe {
            session_logits(
                session,
                position as u64,
                &raw mut logits,
                &raw mut n,
                message,
            )
        })?;
        Ok((logits, n))
    }

    /// Returns the number of tokens. If it is larger than `tokens.len()`, nothing was written.
    ///
    /// # Safety
    ///
    /// `session` must be an open session of this table.
    pub(crate) unsafe fn session_tokenize(
        &self,
        session: *const oracle_session,
        text: &str,
        add_special: bool,
        tokens: &mut [i32],
    ) -> Result<usize, OracleError> {
        let session_tokenize = function!(self, session_tokenize);
        let mut n = 0;
        // SAFETY: the session is open, by this function's contract, and the slices are live.
        let result = self.call("session_tokenize", |message| unsafe {
            session_tokenize(
                session,
                text.as_ptr().cast(),
                text.len(),
                i32::from(add_special),
                tokens.as_mut_ptr(),
                tokens.len(),
                &raw mut n,
                message,
            )
        });
        match result {
            Err(error) if n <= tokens.len() => Err(error),
            _ => Ok(n),
        }
    }
}
