//! Oracles in processes of their own: whatever llama.cpp does to a model, or a model to llama.cpp, the harness survives.
//!
//! llama.cpp ends its process when an assertion fails, may read what it should not, and may never come back. A
//! [`Worker`] runs it elsewhere: the command `harness` once more, as the hidden command `worker`, which has one model
//! open and answers over pipes. Nodes are passed on as they come, and the worker waits while the harness is busy with
//! one. A worker that dies, or is silent for too long, is reaped and becomes an
//! [`InferenceError::Lost`](crate::inference::InferenceError::Lost) which tells how, when, and what it had said. Workers
//! never outlive their harness, however that ends.
//!
//! - `frame`: how messages cross a pipe; `message`: which there are
//! - `process`: the child process, and how it ends; `excerpt`: what it says on its standard error
//! - `client`: the harness' end; `serve`: the worker's; `engine`: a worker for every model that is run
//!
//! On the rungs that run a model, whoever is lost is wrong: the verdict is divergent and the exit code 1, whether model or
//! oracle is to blame for it; the finding holds the error and the command that shows it again. All other comparisons
//! go on.

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
