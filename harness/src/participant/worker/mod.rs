//! Runs oracles in worker processes, so that the harness survives a crash of llama.cpp.
//!
//! llama.cpp ends its process when an assertion fails, and may crash or hang. A [`Worker`] is a separate process that
//! runs the hidden command `harness worker`, has one model open and answers over pipes. It sends nodes as they are
//! computed and waits while the harness processes one. A worker that dies or exceeds the time limit is reaped and
//! becomes an [`InferenceError::Lost`](crate::inference::InferenceError::Lost), which holds the exit status, the call
//! in progress and the last output. Workers never outlive the harness.
//!
//! - `frame`: the encoding of messages in a pipe; `message`: the messages
//! - `process`: the child process and its end; `excerpt`: its standard error
//! - `client`: the harness' end; `serve`: the worker's end; `engine`: a worker for every open model
//!
//! On the levels that run a model, a lost worker is wrong: the verdict is divergent and the exit code 1, also if the
//! model caused it. The finding holds the error and the command that reproduces it. All other comparisons continue.

mod client;
mod engine;
mod excerpt;
mod frame;
mod message;
mod process;
mod serve;

pub use client::Worker;
pub use engine::Workers;
pub(crate) use excerpt::Excerpt;
pub use process::WorkerParams;
pub use serve::serve;
