//! The other end: what the hidden command `harness worker` does.

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

use super::frame::{body, nonsense, receive, send};
use super::message::{Answer, Request};
use crate::inference::{Inference, InferenceError, InferenceParams, TracedNode};

/// Opens a model by the oracle of an id.
pub(super) type Open<'a> =
    &'a dyn Fn(&str, &Path, &InferenceParams) -> Result<Box<dyn Inference>, InferenceError>;

/// Makes this process a worker of the process `parent`, and serves its requests on standard input and output until it
/// closes them. `open` opens the model that it asks for.
///
/// From now on what anything here prints goes to standard error, the process dies with its parent, and when memory runs
/// out the system takes it first.
///
/// # Errors
///
/// If the parent sends what is no request, or the process cannot be set up so.
pub fn serve(parent: u32, open: Open<'_>) -> io::Result<()> {
    let answers = File::from(fcntl_dupfd_cloexec(io::stdout(), 3)?);
    dup2_stdout(stderr())?;
    expect_to_die();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if parent_id() != parent {
        // It died before its death was of any consequence.
        return Ok(());
    }
    let answers = BufWriter::with_capacity(1 << 16, answers);
    match converse(io::stdin().lock(), answers, open) {
        // The parent wants no more.
        Err(error)
            if [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe]
                .contains(&error.kind()) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Makes a crash cheap: no memory image, no more memory than the machine has, and no other process that falls victim when it is used up. What the system does
/// not grant is done without.
fn expect_to_die() {
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
    // Memory of its own: the model's map does not count.
    at_most(
        Resource::Data,
        (memory.totalram as u64).saturating_mul(u64::from(memory.mem_unit)),
    );
    fs::write("/proc/self/oom_score_adj", "1000").ok();
}

/// Takes requests until there are no more.
fn converse(mut requests: impl Read, mut answers: impl Write, open: Open<'_>) -> io::Result<()> {
    let (Request::Open { oracle, params }, path) = receive(&mut requests)? else {
        return Err(nonsense("the first request opens no model"));
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
                    .map_err(|error| nonsense(error.to_string()))?;
                match model.tokenize(&text) {
                    Ok(tokens) => send(&mut answers, &Answer::Tokens, &tokens)?,
                    Err(error) => send(&mut answers, &Answer::Failed(error), NO_BODY)?,
                }
            }
            (Request::Open { .. }, _) => return Err(nonsense("a second model")),
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
