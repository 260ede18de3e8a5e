//! The harness' end of the connection: a model that a worker process has open.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use zerocopy::{Immutable, IntoBytes};

use super::frame::{body, body_of, protocol_error, receive, send};
use super::message::{Answer, Request};
use super::process::{Process, WorkerParams};
use crate::inference::{Inference, InferenceError, InferenceParams, TracedNode};
use crate::limit;

/// Exit code of shells and emulators that cannot run a program.
const CANNOT_RUN: i32 = 127;

/// A model, opened by an oracle in a worker process. Dropping it kills the process.
///
/// After [`InferenceError::Lost`] every request returns the same error.
#[derive(Debug)]
pub struct Worker {
    oracle: String,
    process: Process,
    vocabulary: usize,
    graph: String,
    lost: Option<InferenceError>,
}

impl Worker {
    /// Starts a process and opens the model at `model` in it with the oracle of this id.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] if this machine cannot start the process or run the oracle,
    /// [`InferenceError::Refused`] if there is no such oracle or it refuses the model, and [`InferenceError::Lost`].
    pub fn open(
        oracle: &str,
        model: &Path,
        params: &InferenceParams,
        worker: &WorkerParams,
    ) -> Result<Worker, InferenceError> {
        let cannot_start = |error: io::Error| {
            let (implementation, program) = (oracle.to_owned(), worker.program.display());
            match limit::of_error(&error) {
                Some(_) => InferenceError::Lost {
                    implementation,
                    how: format!("could not be started: {error}"),
                    at: format!("when {program} was started"),
                    stderr: String::new(),
                },
                None => InferenceError::Unsupported {
                    implementation,
                    reason: format!("no process of {program} can be started: {error}"),
                },
            }
        };
        let arguments = ["worker".into(), format!("--parent={}", std::process::id())];
        let process = Process::start(worker, &arguments).map_err(cannot_start)?;
        let mut worker = Worker {
            oracle: oracle.to_owned(),
            process,
            vocabulary: 0,
            graph: String::new(),
            lost: None,
        };
        let request = Request::Open {
            oracle: oracle.to_owned(),
            params: *params,
        };
        let path = model.as_os_str().as_bytes();
        let opening = || format!("while opening {}", model.display());
        (worker.vocabulary, worker.graph) =
            worker.exchange(opening, &request, path, |process| match receive(process)? {
                (Answer::Opened { vocabulary, graph }, 0) => Ok(Ok((vocabulary, graph))),
                other => failed(other),
            })?;
        Ok(worker)
    }

    /// Id of the process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Changes the time limit for answers.
    pub fn set_limit(&mut self, limit: Duration) {
        self.process.set_limit(limit);
    }

    /// Sends a request and receives its answers.
    fn exchange<T, B: IntoBytes + Immutable>(
        &mut self,
        at: impl FnOnce() -> String,
        request: &Request,
        body: &[B],
        answers: impl FnOnce(&mut Process) -> io::Result<Result<T, InferenceError>>,
    ) -> Result<T, InferenceError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        // A sink that panics leaves answers unread, so later answers could not be matched to requests.
        self.lost = Some(self.lost(
            "was abandoned".to_owned(),
            "in the middle of a decode",
            String::new(),
        ));
        match send(&mut self.process, request, body).and_then(|()| answers(&mut self.process)) {
            Ok(answer) => {
                self.lost = None;
                answer
            }
            Err(error) => {
                let end = self.process.end(&error);
                let lost = match end.status.and_then(|status| status.code()) {
                    Some(CANNOT_RUN) => InferenceError::Unsupported {
                        implementation: self.oracle.clone(),
                        reason: format!("its process cannot run: {}", end.stderr),
                    },
                    _ => self.lost(end.how, &at(), end.stderr),
                };
                self.lost = Some(lost.clone());
                Err(lost)
            }
        }
    }

    fn lost(&self, how: String, at: &str, stderr: String) -> InferenceError {
        InferenceError::Lost {
            implementation: self.oracle.clone(),
            how,
            at: at.to_owned(),
            stderr,
        }
    }
}

impl Inference for Worker {
    fn id(&self) -> &str {
        &self.oracle
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn graph(&self) -> &str {
        &self.graph
    }

    fn decode(
        &mut self,
        tokens: &[u32],
        mut sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError> {
        let vocabulary = self.vocabulary;
        let request = Request::Decode {
            traced: sink.is_some(),
        };
        let at = || format!("while decoding {} tokens", tokens.len());
        self.exchange(at, &request, tokens, |process| {
            let mut logits = Vec::new();
            let mut positions = 0;
            loop {
                match (receive(process)?, &mut sink) {
                    ((Answer::Logits, bytes), _) if positions < tokens.len() => {
                        logits.extend(body_of::<f32>(process, bytes, Some(vocabulary))?);
                        positions += 1;
                    }
                    ((Answer::Node(mut node), bytes), Some(sink)) => {
                        let elements = node.ne.iter().try_fold(1usize, |n, &ne| n.checked_mul(ne));
                        node.values = body_of(process, bytes, elements)?;
                        sink(node);
                    }
                    ((Answer::Decoded, 0), _) if positions == tokens.len() => {
                        return Ok(Ok(logits));
                    }
                    (other, _) => return failed(other),
                }
            }
        })
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let at = || format!("while tokenizing {} bytes", text.len());
        self.exchange(
            at,
            &Request::Tokenize,
            text.as_bytes(),
            |process| match receive(process)? {
                (Answer::Tokens, bytes) => Ok(Ok(body(process, bytes)?)),
                other => failed(other),
            },
        )
    }
}

/// The error in an answer; any other answer is unexpected.
fn failed<T>((answer, bytes): (Answer, u64)) -> io::Result<Result<T, InferenceError>> {
    match (answer, bytes) {
        (Answer::Failed(error), 0) => Ok(Err(error)),
        (answer, _) => Err(protocol_error(format!("an unexpected answer: {answer:?}"))),
    }
}
