//! The worker's end of the connection: the hidden command `harness worker`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::parent_id;
use std::path::Path;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::stdio::{dup2_stdout, stderr};
use rustix::system::sysinfo;

use super::frame::{body, protocol_error, receive, send};
use super::message::{Answer, Request};
use crate::inference::{Inference, InferenceError, InferenceParams, TracedNode};

/// Opens a model with the oracle of an id.
pub(super) type Open<'a> =
    &'a dyn Fn(&str, &Path, &InferenceParams) -> Result<Box<dyn Inference>, InferenceError>;

/// Makes this process a worker of the process `parent` and serves its requests on standard input and output until they
/// are closed. `open` opens the requested model.
///
/// Afterwards all other output goes to standard error, the process dies with its parent, and it is the first to be
/// killed when memory runs out.
///
/// # Errors
///
/// If the parent sends an invalid request or the process cannot be set up.
pub fn serve(parent: u32, open: Open<'_>) -> io::Result<()> {
    let answers = File::from(fcntl_dupfd_cloexec(io::stdout(), 3)?);
    dup2_stdout(stderr())?;
    limit_crash_damage();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if parent_id() != parent {
        // The parent died before the death signal was requested.
        return Ok(());
    }
    let answers = BufWriter::with_capacity(1 << 16, answers);
    match serve_requests(io::stdin().lock(), answers, open) {
        // The parent closed the connection.
        Err(error)
            if [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe]
                .contains(&error.kind()) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Limits the damage of a crash: no core dump, no more memory than the machine has, and the process is the first to be
/// killed when memory runs out. Limits that the system does not grant are skipped.
fn limit_crash_damage() {
    let at_most = |resource, bytes| {
        let bytes = getrlimit(resource).current.unwrap_or(bytes).min(bytes);
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        setrlimit(resource, limit).ok();
    };
    at_most(Resource::Core, 0);
    let memory = sysinfo();
    // Private memory only: the map of the model does not count.
    at_most(
        Resource::Data,
        (memory.totalram as u64).saturating_mul(u64::from(memory.mem_unit)),
    );
    fs::write("/proc/self/oom_score_adj", "1000").ok();
}

/// Serves requests until there are no more.
fn serve_requests(
    mut requests: impl Read,
    mut answers: impl Write,
    open: Open<'_>,
) -> io::Result<()> {
    let (Request::Open { oracle, params }, path) = receive(&mut requests)? else {
        return Err(protocol_error("the first request opens no model"));
    };
    let path: Vec<u8> = body(&mut requests, path)?;
    let mut model = match open(&oracle, Path::new(OsStr::from_bytes(&path)), &params) {
        Ok(model) => model,
        Err(error) => return send(&mut answers, &Answer::Failed(error), NO_BODY),
    };
    let opened = Answer::Opened {
        vocabulary: model.vocabulary(),
        graph: model.graph().to_owned(),
    };
    send(&mut answers, &opened, NO_BODY)?;
    loop {
        match receive(&mut requests)? {
            (Request::Decode { traced }, bytes) => {
                let tokens = body(&mut requests, bytes)?;
                decode(model.as_mut(), &tokens, traced, &mut answers)?;
            }
            (Request::Tokenize, bytes) => {
                let text = String::from_utf8(body(&mut requests, bytes)?)
                    .map_err(|error| protocol_error(error.to_string()))?;
                match model.tokenize(&text) {
                    Ok(tokens) => send(&mut answers, &Answer::Tokens, &tokens)?,
                    Err(error) => send(&mut answers, &Answer::Failed(error), NO_BODY)?,
                }
            }
            (Request::Open { .. }, _) => return Err(protocol_error("a second model")),
        }
    }
}

const NO_BODY: &[u8] = &[];

fn decode(
    model: &mut dyn Inference,
    tokens: &[u32],
    traced: bool,
    answers: &mut impl Write,
) -> io::Result<()> {
    let vocabulary = model.vocabulary();
    let mut sent = Ok(());
    let mut pass_on = |mut node: TracedNode| {
        let values = std::mem::take(&mut node.values);
        if sent.is_ok() {
            sent = send(answers, &Answer::Node(node), &values);
        }
    };
    let sink: Option<&mut dyn FnMut(TracedNode)> = if traced { Some(&mut pass_on) } else { None };
    let decoded = model.decode(tokens, sink);
    sent?;
    match decoded {
        Ok(logits) => {
            for position in 0..tokens.len() {
                let row = &logits[position * vocabulary..][..vocabulary];
                send(answers, &Answer::Logits, row)?;
            }
            send(answers, &Answer::Decoded, NO_BODY)
        }
        Err(error) => send(answers, &Answer::Failed(error), NO_BODY),
    }
}
