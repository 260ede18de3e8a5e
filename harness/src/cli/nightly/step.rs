//! A step of a night: a command of this program in a process of its own.

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

/// Where the output of steps goes, in the folder of the night.
pub(super) const LOGS: &str = "logs";

/// A command that leaves a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Name of its receipt, without `.json`.
    pub(super) name: String,
    /// Recipe of the model that it needs as a file.
    pub(super) recipe: Option<String>,
    /// The command, without receipt and model.
    pub(super) command: Vec<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    /// With a receipt.
    Done {
        /// What it says.
        verdict: Verdict,
        /// How long it took.
        seconds: f64,
    },
    /// Without one.
    Failed {
        /// Why.
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
    /// Where its receipt is.
    pub(super) fn receipt(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.name))
    }

    /// Runs the command to its end. An interruption is handed on to it, and waited for.
    ///
    /// # Errors
    ///
    /// [`CliError`] if no step could run: the folder cannot be written to, or this program is gone.
    pub(super) fn run(&self, folder: &Path) -> Result<Ended, CliError> {
        let started = Instant::now();
        let (receipt, log) = (self.receipt(folder), self.log(folder));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::Write { path, source }
        };
        // The receipt of another night must not pass for that of this one.
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
            // Ctrl-C on the terminal is for us alone: a second one would end the step before it has tidied up.
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
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            interrupt::ends_with(None);
            return Ok(status);
        }
        if interrupt::asked() && !told {
            told = true;
            if let Some(id) = id {
                // It may have ended just now, which is as well.
                let _ = kill_process(id, Signal::INT);
            }
        }
        sleep(Duration::from_millis(20));
    }
}

/// The last line that a step printed, or how it ended.
fn last_words(log: &Path, status: ExitStatus) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or(status.to_string(), |line| line.trim().to_owned())
}
