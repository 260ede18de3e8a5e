//! Runs the commands of a page.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::page::{Block, Page, Step, root};
use super::programs::Programs;
use testing::test;

/// The working directory of a page's commands, with the files of a checkout except the code.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["corpus/regressions", "reports", "reports/schema"] {
            copy_files(&root().join(name), &folder.path().join(name));
        }
        Place(folder)
    }
}

/// Copies the files of a folder without its subfolders.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder of the repository") {
        let entry = entry.expect("an entry");
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
        }
    }
}

/// The counts of commands on pages.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) run: usize,
    /// Number of commands that `.ci/run` runs.
    in_ci: usize,
    /// Reasons for commands that were not run.
    not_run: Vec<String>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.run += other.run;
        self.in_ci += other.in_ci;
        self.not_run.extend(other.not_run);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            run,
            in_ci,
            not_run,
        } = self;
        write!(
            f,
            "{run} commands run, {in_ci} left to .ci/run, {} not run",
            not_run.len()
        )?;
        not_run
            .iter()
            .try_for_each(|reason| write!(f, "\n  not run: {reason}"))
    }
}

/// A line of a page with a command.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    command: &'a str,
    exit: i32,
}

/// Runs all commands of a page. With `compare`, replaces the outputs in the page by those of the commands.
pub(crate) fn walk(
    page: &mut Page,
    programs: &Programs,
    place: &Place,
    compare: bool,
) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut printed: Vec<(Block, Vec<String>)> = Vec::new();
    for step in page.steps() {
        let (block, not_run, output) = match step {
            Step::Quietly(command) => {
                let line = Line::of(&command);
                run(&line, programs, place)?;
                continue;
            }
            Step::Run {
                block,
                not_run,
                output,
            } => (block, not_run, output),
        };
        let mut text = Vec::new();
        for line in lines(&page.text(&block)) {
            let line = Line::of(&line);
            match (&not_run, resolve(line.command)) {
                (Some(reason), resolved) => {
                    let trouble = resolved.and_then(|command| trouble(&command, programs));
                    if let Some(trouble) = trouble {
                        return Err(trouble);
                    }
                    counts.not_run.push(format!("{}: {reason}", line.command));
                }
                (None, Some(command)) => {
                    let line = Line {
                        command: &command,
                        ..line
                    };
                    text.extend(run(&line, programs, place)?);
                    counts.run += 1;
                }
                (None, None) => {
                    in_ci(line.command)?;
                    counts.in_ci += 1;
                }
            }
        }
        if let (Some(output), true) = (output, compare) {
            printed.push((output, text));
        }
    }
    for (block, text) in printed.iter().rev() {
        page.replace(block, text);
    }
    Ok(counts)
}

/// The commands of a block, without empty lines and comments, and with continued lines joined.
fn lines(text: &[&str]) -> Vec<String> {
    let joined = text.join("\n").replace("\\\n", "");
    let commands = joined
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    commands
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

impl<'a> Line<'a> {
    /// Parses `COMMAND # exit code N`.
    fn of(line: &'a str) -> Line<'a> {
        let Some((command, code)) = line.rsplit_once(" # exit code ") else {
            return Line {
                command: line,
                exit: 0,
            };
        };
        let exit = code.parse().expect("an exit code is a number");
        Line { command, exit }
    }
}

/// The command with programs of this build instead of `cargo run`. None for other commands of cargo and of other
/// programs.
fn resolve(command: &str) -> Option<String> {
    let command = command.replace("cargo run --release ", "cargo run ");
    let assigned = |word: &&str| word.contains('=') && !word.starts_with('-');
    let words = command.split(' ').skip_while(assigned);
    let command = words.collect::<Vec<_>>().join(" ");
    if let Some(arguments) = command.strip_prefix("cargo run -p harness --example own_kernel") {
        let arguments = arguments.trim_start().trim_start_matches("-- ");
        return Some(format!("own_kernel {arguments}").trim_end().to_owned());
    }
    match command.strip_prefix("cargo run -p harness -- ") {
        Some(arguments) => Some(format!("harness {arguments}")),
        None => command.starts_with("harness ").then_some(command),
    }
}

fn trouble(command: &str, programs: &Programs) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    let arguments = words.strip_prefix(&["harness"])?;
    programs.trouble(arguments)
}

/// Checks that another command is a step of `.ci/run`, which runs it.
fn in_ci(command: &str) -> Result<(), String> {
    let steps = fs::read_to_string(root().join(".ci/run")).expect("the steps of CI");
    if steps
        .lines()
        .any(|line| line.ends_with(&format!(" {command}")))
    {
        return Ok(());
    }
    Err(format!(
        "`{command}` is no step of .ci/run: run it there, or say why it is not run"
    ))
}

/// Runs the command and returns its output as shown on a page.
fn run(line: &Line<'_>, programs: &Programs, place: &Place) -> Result<Vec<String>, String> {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", line.command])
        .env("PATH", programs.path())
        .current_dir(place.0.path())
        .output()
        .expect("bash starts");
    let out = String::from_utf8(output.stdout).expect("the output is UTF-8");
    if output.status.code() != Some(line.exit) {
        let output_text = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "`{}` ended with {}, not exit code {}:\n{out}{output_text}",
            line.command, output.status, line.exit
        ));
    }
    Ok(out.lines().map(|line| line.trim_end().to_owned()).collect())
}

#[test]
fn commands_are_read() {
    assert_eq!(lines(&["a \\", "  b", "", "# c", "d"]), ["a b", "d"]);
    let line = Line {
        command: "harness x",
        exit: 3,
    };
    assert_eq!(Line::of("harness x # exit code 3"), line);
    assert_eq!(Line::of("harness x").exit, 0);
    let resolved = |command| resolve(command).unwrap_or_default();
    assert_eq!(
        resolved("cargo run --release -p harness -- check"),
        "harness check"
    );
    assert_eq!(
        resolved("X=1 cargo run -p harness -- check"),
        "harness check"
    );
    assert_eq!(
        resolved("cargo run -p harness --example own_kernel"),
        "own_kernel"
    );
    assert_eq!(
        resolved("cargo run -p harness --example own_kernel -- --x"),
        "own_kernel --x"
    );
    assert_eq!(resolved("cargo test"), "");
}

#[test]
fn commands_that_ci_does_not_run_are_reported() {
    assert!(in_ci("cargo test").is_ok());
    assert!(in_ci("cargo tset").is_err());
}
