//! Tests that are reported as skipped, with a reason, where the machine lacks what they need.
//!
//! libtest decides at compile time what is ignored, so that a test that cannot run here could only return early, and would
//! count as passed. A test file (`harness = false` in the manifest) that has tests with needs uses this crate instead:
//!
//! ```no_run
//! use testing::{MODELS, test};
//!
//! #[test]
//! fn addition_commutes() {
//!     assert_eq!(1 + 2, 2 + 1);
//! }
//!
//! #[test(needs(MODELS))]
//! fn every_model_is_read() {
//!     for model in testing::models() {
//!         assert!(model.exists());
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     testing::main()
//! }
//! ```
//!
//! Options and output are libtest's. A test whose needs are not met is `ignored`, with the reason, in the output of `cargo
//! test`, and `SKIP` in that of `cargo nextest`. Where [`NO_SKIPS`] forbids the skip, it fails with the reason.

mod models;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

pub use inventory;
pub use testing_macros::test;

use libtest_mimic::{Arguments, Completion, Trial};

pub use models::{MODELS, models};

/// The environment variable that lists the needs that this machine is known to meet, by name and separated by commas, or
/// says `all`. A test that would be skipped for want of one of them fails.
pub const NO_SKIPS: &str = "HARNESS_NO_SKIPS";

/// Something that a test needs and that a machine may lack.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Its name in [`NO_SKIPS`].
    pub name: &'static str,
    /// `Err` with the reason where it is not met.
    pub check: fn() -> Result<(), String>,
}

/// A registered test; made by [`macro@test`].
#[derive(Debug)]
pub struct Test {
    /// `module_path!()` where it stands.
    pub module: &'static str,
    /// Name of the function.
    pub name: &'static str,
    /// What has to be met.
    pub needs: &'static [Need],
    /// The function.
    pub run: fn(),
}

inventory::collect!(Test);

/// Why a test does not run here.
#[derive(Debug, PartialEq)]
enum Unmet {
    Skipped(String),
    Forbidden(String),
}

impl Test {
    /// `module::name`, without the name of the crate, as libtest has it.
    fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn trial(&'static self, listed: bool, met_here: &str) -> Trial {
        let reason = match unmet(self.needs, met_here) {
            None => {
                return Trial::test(self.path(), || {
                    (self.run)();
                    Ok(())
                });
            }
            Some(Unmet::Forbidden(reason)) => {
                return Trial::test(self.path(), || Err(reason.into()));
            }
            Some(Unmet::Skipped(reason)) => reason,
        };
        if listed {
            // cargo-nextest asks for the list, and prints what is ignored there by its name alone.
            return Trial::test(self.path(), || Ok(()))
                .with_kind(reason)
                .with_ignored_flag(true);
        }
        Trial::ignorable_test(self.path(), || Ok(Completion::ignored_with(reason)))
    }
}

/// The first need that is not met, if any; `met_here` is the value of [`NO_SKIPS`].
fn unmet(needs: &[Need], met_here: &str) -> Option<Unmet> {
    needs.iter().find_map(|need| {
        let reason = (need.check)().err()?;
        Some(if forbids(met_here, Some(need.name)) {
            let name = need.name;
            Unmet::Forbidden(format!(
                "needs {name}: {reason}; {NO_SKIPS}={met_here} forbids to skip it"
            ))
        } else {
            Unmet::Skipped(reason)
        })
    })
}

/// Whether this value of [`NO_SKIPS`] says that the need is met here.
fn forbids(met_here: &str, need: Option<&str>) -> bool {
    met_here
        .split(',')
        .map(str::trim)
        .any(|name| name == "all" || Some(name) == need)
}

impl Need {
    /// Whether it is met here, for what is expected of a test that runs either way.
    pub fn is_met(&self) -> bool {
        (self.check)().is_ok()
    }
}

/// For unit tests inside a library, which are libtest's: the value of a `Result`, or a line on standard error, which libtest
/// does not capture, that says that the test is skipped, with the error as the reason, and a return. Where [`NO_SKIPS`] says
/// `all`, a panic instead.
#[macro_export]
macro_rules! require {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => return $crate::skip(&reason),
        }
    };
}

/// The skip of [`require!`].
#[doc(hidden)]
pub fn skip(reason: &dyn Display) {
    let met_here = std::env::var(NO_SKIPS).unwrap_or_default();
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(
        !forbids(&met_here, None),
        "{reason}; {NO_SKIPS}={met_here} forbids to skip it"
    );
    // What `eprintln!` prints is captured.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Runs the tests that are registered in this program, as its command line says.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.test_threads.is_none() {
        let variable = std::env::var("RUST_TEST_THREADS").ok();
        arguments.test_threads = variable.and_then(|threads| threads.parse().ok());
    }
    let met_here = std::env::var(NO_SKIPS).unwrap_or_default();
    let mut trials: Vec<Trial> = inventory::iter::<Test>
        .into_iter()
        .map(|test| test.trial(arguments.list, &met_here))
        .collect();
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    libtest_mimic::run(&arguments, trials).exit_code()
}
