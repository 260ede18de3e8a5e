//! A child process that communicates through its standard input and output, with a time limit for every wait.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PIPE_BUF;

use super::excerpt::Excerpt;

/// Time limit for a process to exit after it has closed its output, and for its standard error to end.
const GRACE: Duration = Duration::from_secs(10);

/// Parameters for starting a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerParams {
    /// Path of the program `harness`. By default the running program, which is right for the command itself.
    pub program: PathBuf,
    /// Time limit for an answer of the worker. Every node and every position's logits count as an answer.
    pub limit: Duration,
}

impl Default for WorkerParams {
    /// The running program, even if its file has been replaced, and a limit of five minutes.
    fn default() -> Self {
        WorkerParams {
            program: "/proc/self/exe".into(),
            limit: Duration::from_secs(300),
        }
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    answers: ChildStdout,
    limit: Duration,
    output: Arc<Mutex<Excerpt>>,
    /// Disconnected when standard error ends.
    stderr_open: Receiver<()>,
}

/// The end of a process and the last lines of its standard error.
#[derive(Debug)]
pub(super) struct End {
    pub(super) how: String,
    pub(super) stderr: String,
    /// None if the process had to be killed.
    pub(super) status: Option<ExitStatus>,
}

impl Process {
    /// Starts the program with these arguments.
    pub(super) fn start(params: &WorkerParams, arguments: &[String]) -> io::Result<Process> {
        let mut command = Command::new(&params.program);
        command
            .arg0("harness")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = Arc::new(Mutex::new(Excerpt::default()));
        let (kept, (starting, started)) = (Arc::clone(&output), mpsc::channel());
        let (ending, stderr_open) = mpsc::channel();
        // A parent death signal is sent when the thread that started the process ends. Therefore the thread that reads
        // its standard error starts it.
        thread::Builder::new().spawn(move || {
            let _until_the_end: mpsc::Sender<()> = ending;
            let mut child = command.spawn();
            let stderr = child.as_mut().ok().and_then(|child| child.stderr.take());
            if starting.send(child).is_err() {
                return;
            }
            let Some(stderr) = stderr else { return };
            let keep = |line| lock(&kept).add(line);
            // Read errors are ignored. The process is judged by its answers.
            Excerpt::each_line(stderr, keep).ok();
        })?;
        let mut child = started.recv().map_err(io::Error::other)??;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both are piped");
        };
        Ok(Process {
            child,
            requests,
            answers,
            limit: params.limit,
            output,
            stderr_open,
        })
    }

    /// Id of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Changes the time limit for answers.
    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Ends the process after a read or write error and describes its end.
    pub(super) fn end(&mut self, error: &io::Error) -> End {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        let status = if gone { self.wait(GRACE) } else { None };
        self.kill();
        // A child of the process may keep its standard error open.
        self.stderr_open.recv_timeout(GRACE).ok();
        let how = match (status, error.kind()) {
            (Some(status), _) => format!("died ({status})"),
            (None, io::ErrorKind::TimedOut) => {
                let limit = humantime::format_duration(self.limit);
                format!("gave no answer in {limit} and was killed")
            }
            (None, io::ErrorKind::InvalidData) => {
                format!("sent an invalid message ({error}) and was killed")
            }
            (None, _) => format!("could not be reached ({error}) and was killed"),
        };
        End {
            how,
            stderr: lock(&self.output).text(),
            status,
        }
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < limit => thread::sleep(Duration::from_millis(2)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }

    fn kill(&mut self) {
        // Both fail only if the process has ended and was reaped.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Read for Process {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        ready(&self.answers, PollFlags::IN, self.limit)?;
        self.answers.read(buffer)
    }
}

impl Write for Process {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ready(&self.requests, PollFlags::OUT, self.limit)?;
        // A ready pipe accepts `PIPE_BUF` bytes without blocking.
        self.requests.write(&bytes[..bytes.len().min(PIPE_BUF)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.requests.flush()
    }
}

/// Waits until a pipe is ready or closed at the other end.
fn ready<'a>(
    pipe: &'a impl std::os::fd::AsFd,
    event: PollFlags,
    limit: Duration,
) -> io::Result<()> {
    let pipe: BorrowedFd<'a> = pipe.as_fd();
    let limit = Timespec::try_from(limit).ok();
    match poll(&mut [PollFd::from_borrowed_fd(pipe, event)], limit.as_ref())? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

fn lock(output: &Mutex<Excerpt>) -> std::sync::MutexGuard<'_, Excerpt> {
    // Every change adds a complete line, so a poisoned lock holds a valid value.
    output.lock().unwrap_or_else(PoisonError::into_inner)
}
