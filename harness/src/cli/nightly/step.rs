//! A step of a nightly run: a command of this program in a separate process.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::CliError;
use crate::interrupt;
use crate::receipt::Receipt;
use crate::verdict::Verdict;

/// Subfolder for the outputs of steps.
pub(super) const LOGS: &str = "logs";

/// A command that writes a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Name of the receipt, without `.json`.
    pub(super) name: String,
    /// Recipe of the model file that the command needs.
    pub(super) recipe: Option<String>,
    /// The arguments, without those for receipt and model.
    pub(super) command: Vec<String>,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// The step wrote a receipt.
    Done {
        /// Verdict of the receipt.
        verdict: Verdict,
        /// Duration in seconds.
        seconds: f64,
    },
    /// The step wrote no receipt.
    Failed {
        /// The reason.
        reason: String,
    },
}

impl Ended {
    /// The verdict, if there is a receipt.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self {
            Ended::Done { verdict, .. } => Some(*verdict),
            Ended::Failed { .. } => None,
        }
    }
}

impl Step {
    /// Path of the receipt.
    pub(super) fn receipt(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.name))
    }

    /// Runs the command to its end. An interruption is forwarded to it, and its end is awaited.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no step can run, because the folder cannot be written to or the executable is missing.
    pub(super) fn run(&self, folder: &Path) -> Result<Ended, CliError> {
        let started = Instant::now();
        let (receipt, log) = (self.receipt(folder), self.log(folder));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::Write { path, source }
        };
        // A receipt of an earlier run must not be taken for that of this run.
        match fs::remove_file(&receipt) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&receipt)(error));
            }
            _ => {}
        }
        let output = File::create(&log).map_err(failed(&log))?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(&self.command)
            .arg("--receipt")
            .arg(&receipt)
            .args(&self.recipe)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // The process group keeps Ctrl-C on the terminal from the step, because a second signal would end it before
            // its clean-up.
            .process_group(0)
            .spawn()?;
        let status = wait(&mut child)?;
        if !receipt.exists() {
            let reason = format!("{}; see {}", last_words(&log, status), log.display());
            return Ok(Ended::Failed { reason });
        }
        Ok(match Receipt::read(&receipt) {
            Ok(receipt) => Ended::Done {
                verdict: receipt.harness.verdict,
                seconds: started.elapsed().as_secs_f64(),
            },
            Err(error) => Ended::Failed {
                reason: error.to_string(),
            },
        })
    }

    fn log(&self, folder: &Path) -> PathBuf {
        folder.join(LOGS).join(format!("{}.txt", self.name))
    }
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    interrupt::ends_with(id);
    let mut output_text = false;
    loop {
        if let Some(status) = child.try_wait()? {
            interrupt::ends_with(None);
            return Ok(status);
        }
        if interrupt::asked() && !output_text {
            output_text = true;
            if let Some(id) = id {
                // An error means that the step has just ended.
                let _ = kill_process(id, Signal::INT);
            }
        }
        sleep(Duration::from_millis(20));
    }
}

/// The last line that a step printed, or its exit status.
fn last_words(log: &Path, status: ExitStatus) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or(status.to_string(), |line| line.trim().to_owned())
}
