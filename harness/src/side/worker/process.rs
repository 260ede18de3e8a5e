//! A child process that is spoken with through its standard input and output, never longer waited for than agreed.

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

/// How long a process that has closed its output may take to be gone, and its standard error to end.
const GRACE: Duration = Duration::from_secs(10);

/// How a worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerParams {
    /// The command `harness`. By default the program that is running, which is right for the command itself.
    pub program: PathBuf,
    /// How long a worker may be silent while it is waited for. Every node and every position's logits count as a word.
    pub limit: Duration,
}

impl Default for WorkerParams {
    /// The program that is running, even if another file has taken its place since; five minutes.
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
    said: Arc<Mutex<Excerpt>>,
    /// Disconnected when standard error has ended.
    saying: Receiver<()>,
}

/// How a process came to its end, and what it had written to its standard error.
#[derive(Debug)]
pub(super) struct End {
    pub(super) how: String,
    pub(super) stderr: String,
    /// Absent if it had to be killed.
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
        let said = Arc::new(Mutex::new(Excerpt::default()));
        let (kept, (starting, started)) = (Arc::clone(&said), mpsc::channel());
        let (ending, saying) = mpsc::channel();
        // A process that asks to die with its parent dies with the thread that started it. So it is the thread that
        // listens to its standard error, for as long as there is one.
        thread::Builder::new().spawn(move || {
            let _until_the_end: mpsc::Sender<()> = ending;
            let mut child = command.spawn();
            let stderr = child.as_mut().ok().and_then(|child| child.stderr.take());
            if starting.send(child).is_err() {
                return;
            }
            let Some(stderr) = stderr else { return };
            let keep = |line| lock(&kept).add(line);
            // What cannot be read cannot be shown; the process is judged by its answers.
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
            said,
            saying,
        })
    }

    /// Id of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Changes how long it may be silent.
    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Ends the process after this error of reading or writing, and tells what was wrong with it.
    pub(super) fn end(&mut self, error: &io::Error) -> End {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
        );
        let status = if gone { self.wait(GRACE) } else { None };
        self.kill();
        // Something that the process has started may hold on to its standard error.
        self.saying.recv_timeout(GRACE).ok();
        let how = match (status, error.kind()) {
            (Some(status), _) => format!("died ({status})"),
            (None, io::ErrorKind::TimedOut) => {
                let limit = humantime::format_duration(self.limit);
                format!("gave no answer in {limit} and was killed")
            }
            (None, io::ErrorKind::InvalidData) => {
                format!("made no sense ({error}) and was killed")
            }
            (None, _) => format!("could not be spoken with ({error}) and was killed"),
        };
        End {
            how,
            stderr: lock(&self.said).text(),
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
        // Both fail only if the process is gone already and reaped.
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
        // A pipe that is ready takes so many without blocking.
        self.requests.write(&bytes[..bytes.len().min(PIPE_BUF)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.requests.flush()
    }
}

/// Waits until a pipe is ready, or closed at the other end.
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

fn lock(said: &Mutex<Excerpt>) -> std::sync::MutexGuard<'_, Excerpt> {
    // Lines are added whole: there is no state in between.
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
