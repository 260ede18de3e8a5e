//! Exit codes, which scripts can rely on.

use std::process::{ExitCode, Termination};

use crate::verdict::Verdict;

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything compared agrees, or the command compares nothing and succeeded.
    Agreement = 0,
    /// A comparison differs.
    Divergence = 1,
    /// The command line is invalid.
    Usage = 2,
    /// A file, an oracle or the machine does not meet the requirements.
    Setup = 3,
    /// Nothing was compared, or a named model was not run although that was requested. Neither is agreement.
    NothingCompared = 4,
    /// Interrupted, for example by Ctrl-C: the missing work was reported and no incomplete file was left.
    Interrupted = 130,
}

impl Exit {
    /// The table of exit codes for `--help`.
    pub const HELP: &str = "\
Exit codes:
  0  agreement: everything compared agrees
  1  divergence: something differs
  2  usage: the command line makes no sense
  3  set-up or input: a file, an oracle or the machine is not as needed
  4  nothing was compared, or a named model could not be run: the output says why
  130  interrupted";
}

impl Exit {
    /// The variant with this code, if there is one.
    pub fn of_code(code: i32) -> Option<Exit> {
        let all = [
            Exit::Agreement,
            Exit::Divergence,
            Exit::Usage,
            Exit::Setup,
            Exit::NothingCompared,
            Exit::Interrupted,
        ];
        all.into_iter().find(|exit| *exit as i32 == code)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Exact | Verdict::WithinNoiseFloor | Verdict::KnownDivergence => {
                Exit::Agreement
            }
            Verdict::Divergent => Exit::Divergence,
            Verdict::Skipped | Verdict::Unsupported => Exit::NothingCompared,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
