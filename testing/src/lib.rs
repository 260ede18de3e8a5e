//! A test harness that reports tests as skipped, with a reason, if the machine does not meet their needs.
//!
//! With libtest, ignored tests are fixed at compile time. A test that cannot run on a machine could only return early,
//! and would count as passed. Test files with such tests use this crate instead, with `harness = false` in the
//! manifest:
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
//! Options and output are those of libtest. If the needs of a test are not met, `cargo test` reports it as `ignored`
//! with the reason, and `cargo nextest` as `SKIP`. If [`NO_SKIPS`] forbids the skip, the test fails with the reason.

mod models;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

pub use inventory;
pub use testing_macros::test;

use libtest_mimic::{Arguments, Completion, Trial};

pub use models::{LLAMA_CPP_MODELS, MODELS, llama_cpp_models, models};

/// The environment variable with the names of the needs that this machine must meet, separated by commas, or `all`. A
/// test fails instead of being skipped because of one of them.
pub const NO_SKIPS: &str = "HARNESS_NO_SKIPS";

/// A requirement of a test that a machine may not meet.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Name in [`NO_SKIPS`].
    pub name: &'static str,
    /// Returns `Err` with the reason if the need is not met.
    pub check: fn() -> Result<(), String>,
}

/// A registered test, created by [`macro@test`].
#[derive(Debug)]
pub struct Test {
    /// `module_path!()` of the function.
    pub module: &'static str,
    /// Name of the function.
    pub name: &'static str,
    /// Needs of the test.
    pub needs: &'static [Need],
    /// The function.
    pub run: fn(),
}

inventory::collect!(Test);

/// Why a test does not run.
#[derive(Debug, PartialEq)]
enum Unmet {
    Skipped(String),
    Forbidden(String),
}

impl Test {
    /// `module::name` without the name of the crate, as in libtest.
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
            // cargo-nextest reads the list and prints only the names of ignored tests, so the reason is part of the
            // name.
            return Trial::test(self.path(), || Ok(()))
                .with_kind(reason)
                .with_ignored_flag(true);
        }
        Trial::ignorable_test(self.path(), || Ok(Completion::ignored_with(reason)))
    }
}

/// The first unmet need, if any. `met_here` is the value of [`NO_SKIPS`].
fn unmet(needs: &[Need], met_here: &str) -> Option<Unmet> {
    needs.iter().find_map(|need| {
        let reason = (need.check)().err()?;
        Some(if forbids(met_here, Some(need.name)) {
            let name = need.name;
            Unmet::Forbidden(format!(
                "needs {name}: {reason}; {NO_SKIPS}={met_here} forbids skipping it"
            ))
        } else {
            Unmet::Skipped(reason)
        })
    })
}

/// Whether this value of [`NO_SKIPS`] includes the need.
fn forbids(met_here: &str, need: Option<&str>) -> bool {
    met_here
        .split(',')
        .map(str::trim)
        .any(|name| name == "all" || Some(name) == need)
}

impl Need {
    /// Whether the need is met. Tests that run in both cases use it for their expected results.
    pub fn is_met(&self) -> bool {
        (self.check)().is_ok()
    }
}

/// Unwraps a `Result` in a unit test of a library, which runs under libtest. On an error it reports the test as
/// skipped, with the error as the reason, in a line on standard error that libtest does not capture, and returns. If
/// [`NO_SKIPS`] is `all`, it panics instead.
#[macro_export]
macro_rules! require {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => return $crate::skip(&reason),
        }
    };
}

/// Reports the skip of [`require!`].
#[doc(hidden)]
pub fn skip(reason: &dyn Display) {
    let met_here = std::env::var(NO_SKIPS).unwrap_or_default();
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(
        !forbids(&met_here, None),
        "{reason}; {NO_SKIPS}={met_here} forbids skipping it"
    );
    // libtest captures the output of `eprintln!`.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}

/// Runs the registered tests of this program, with the options of its command line.
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
