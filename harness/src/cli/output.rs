//! How results are printed: the options that every command has, and the one place that acts on them.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::ColorChoice;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::annotation::{self, Annotation};
use super::terminal::{Terminal, tell, tell_error};
use super::{CliError, limits};
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::receipt::Receipt;
use crate::supervisor;

/// How a command prints its result; flattened into the arguments of a program.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// List what is otherwise counted, such as each kernel that was skipped
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print no more than the verdict
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How to print the result
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    format: Format,
    /// When to use colours; `auto` looks at the terminal and at NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: one JSON document
    Json,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> ColorChoice {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

/// Whether progress bars stay away.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether the process was started with `--quiet`.
pub(super) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

impl OutputOptions {
    /// Sets what holds for the whole process: colours, and whether progress is shown.
    fn apply(self) {
        ColorChoice::from(self.color).write_global();
        QUIET.store(self.quiet, Ordering::Relaxed);
    }
}

/// Runs a command on standard output, prints its error and its annotations on standard error, and gives the exit code.
///
/// The command runs in a child process, which a crash or a limit of the system may end: see
/// [`supervisor`]. To be called before this process starts threads.
///
/// The command never sees its output fail, and goes on to its end whoever reads. A reader that has gone changes nothing;
/// output that is lost for another reason, such as a full disk, is an error in place of an agreement.
pub fn conclude(
    options: &OutputOptions,
    command: impl FnOnce(&mut Output<'_>) -> Result<Exit, CliError>,
) -> Exit {
    options.apply();
    supervisor::supervised(|| {
        conclude_here(options, |out| {
            limits::start_threads()?;
            command(out)
        })
    })
}

/// As [`conclude`], in this process.
pub(super) fn conclude_here(
    options: &OutputOptions,
    command: impl FnOnce(&mut Output<'_>) -> Result<Exit, CliError>,
) -> Exit {
    options.apply();
    let mut stdout = Terminal::stdout();
    let mut out = Output::new(options, &mut stdout);
    let result = limits::catch_file_size()
        .and_then(|()| command(&mut out))
        .and_then(|exit| out.finish(exit));
    let mut annotations = out.annotations;
    // What was printed stands before its error, and what was lost is known before the exit code.
    let lost = stdout.finish().err().map(CliError::from);
    let error = match result {
        Ok(Exit::Agreement) => lost.map_or(Ok(Exit::Agreement), Err),
        // A difference that could not be printed is one all the same.
        result => result,
    };
    let exit = error.unwrap_or_else(|error| {
        let words = limits::explained(&error);
        tell_error(&words);
        let exit = error.exit();
        annotations.push(Annotation::new("harness", words));
        exit
    });
    annotation::print(&annotations, &mut supervisor::terminal());
    exit
}

/// Where a command puts its result: text for people, or one document for programs.
pub struct Output<'o> {
    out: &'o mut dyn Write,
    /// Where text goes instead while a document of another option takes standard output.
    aside: Option<Terminal<Box<dyn Write>>>,
    nowhere: io::Sink,
    options: OutputOptions,
    annotations: Vec<Annotation>,
    nothing_compared: Vec<String>,
    documents: usize,
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<'o> Output<'o> {
    /// An output with these options.
    pub fn new(options: &OutputOptions, out: &'o mut dyn Write) -> Output<'o> {
        Output {
            out,
            aside: None,
            nowhere: io::sink(),
            options: *options,
            annotations: Vec::new(),
            nothing_compared: Vec::new(),
            documents: 0,
        }
    }

    /// Whether the result is a document instead of text.
    pub(super) fn is_json(&self) -> bool {
        self.options.format == Format::Json
    }

    /// Whether text lists what it would otherwise count.
    pub(super) fn is_verbose(&self) -> bool {
        self.options.verbose
    }

    /// Text for people. It goes nowhere if they asked for less, or for a document.
    pub(super) fn text(&mut self) -> &mut dyn Write {
        if self.is_json() || self.options.quiet {
            &mut self.nowhere
        } else {
            self.people()
        }
    }

    /// The text that `--quiet` leaves: what the result comes to.
    pub(super) fn verdict(&mut self) -> &mut dyn Write {
        if self.is_json() {
            &mut self.nowhere
        } else {
            self.people()
        }
    }

    fn people(&mut self) -> &mut dyn Write {
        match &mut self.aside {
            Some(stderr) => stderr,
            None => self.out,
        }
    }

    /// Leaves standard output to a document that goes there, if one does: text goes to standard error from now on.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if the result is a document for standard output too.
    pub(super) fn share(&mut self, destinations: &Destinations) -> Result<(), CliError> {
        if !destinations.takes_stdout() {
            return Ok(());
        }
        if self.is_json() {
            let words = "standard output is taken by the result, as `--format json` says: name a file instead of `-`";
            return Err(CliError::Usage(words.into()));
        }
        self.aside = Some(Terminal::stderr());
        Ok(())
    }

    /// The result as a document, made and printed only if one was asked for. A command calls this once.
    ///
    /// # Errors
    ///
    /// [`CliError::Output`].
    pub(super) fn document<T: Serialize>(
        &mut self,
        document: impl FnOnce() -> T,
    ) -> Result<(), CliError> {
        if self.is_json() {
            self.documents += 1;
            let text = serde_json::to_string_pretty(&document()).map_err(io::Error::from)?;
            writeln!(self.out, "{text}")?;
        }
        Ok(())
    }

    /// The receipt of a run as its document. An interrupted run has none.
    ///
    /// # Errors
    ///
    /// [`CliError::Receipt`] for a receipt with a figure that JSON cannot hold.
    pub(super) fn receipt(&mut self, receipt: Option<&Receipt>) -> Result<(), CliError> {
        if let (true, Some(receipt)) = (self.is_json(), receipt) {
            self.documents += 1;
            let text = receipt.to_json(Path::new("standard output"))?;
            self.out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// For commands whose output is made for another program already.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if a document was asked for.
    pub(super) fn require_text(&self) -> Result<(), CliError> {
        if self.is_json() {
            return Err(CliError::Usage(
                "this command has no result that could be printed as JSON".into(),
            ));
        }
        Ok(())
    }

    /// Marks a failure in the log of a CI run.
    pub(super) fn annotate(&mut self, title: impl fmt::Display, message: impl fmt::Display) {
        self.annotations.push(Annotation::new(title, message));
    }

    /// Why something that was requested was not compared, for a command that ends with [`Exit::NothingCompared`].
    pub(super) fn nothing_compared(&mut self, reason: impl Into<String>) {
        self.nothing_compared.push(reason.into());
    }

    /// Completes the output of a command that ended with `exit`: no code but 0 comes without a word.
    fn finish(&mut self, exit: Exit) -> Result<Exit, CliError> {
        if exit == Exit::NothingCompared {
            let reasons = match &self.nothing_compared[..] {
                [] => "nothing was compared".into(),
                reasons => reasons.join("; "),
            };
            let words = format!("no agreement: {reasons}");
            if self.is_json() {
                tell(&words);
            } else {
                writeln!(self.people(), "{words}")?;
            }
            self.annotate("harness", words);
        }
        if exit == Exit::Divergence && self.annotations.is_empty() {
            self.annotate("harness", "something differs, as the output above says");
        }
        debug_assert_eq!(self.documents, usize::from(self.is_json()));
        self.out.flush()?;
        Ok(exit)
    }
}

/// Sets colours for the whole process, where its command line made no sense.
pub(super) fn apply(color: clap::ColorChoice) {
    let color = match color {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    color.write_global();
}

/// What `--color` says on a command line that may not be well-formed, for the help and the errors of clap.
pub(super) fn color_of(arguments: impl Iterator<Item = String>) -> clap::ColorChoice {
    let mut choice = clap::ColorChoice::Auto;
    let mut arguments = arguments.take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--color") {
            Some("") => arguments.next(),
            Some(value) => value.strip_prefix('=').map(String::from),
            None => None,
        };
        let value = value.and_then(|value| Color::from_str(&value, false).ok());
        choice = match value {
            Some(Color::Auto) => clap::ColorChoice::Auto,
            Some(Color::Always) => clap::ColorChoice::Always,
            Some(Color::Never) => clap::ColorChoice::Never,
            None => choice,
        };
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(options: OutputOptions, exit: Exit) -> String {
        let mut bytes = Vec::new();
        let mut out = Output::new(&options, &mut bytes);
        writeln!(out.text(), "text").unwrap();
        writeln!(out.verdict(), "verdict").unwrap();
        out.document(|| 1).unwrap();
        out.nothing_compared("no kernel");
        assert_eq!(out.finish(exit).unwrap(), exit);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_option_leaves_what_it_says() {
        let text = OutputOptions::default();
        let quiet = OutputOptions {
            quiet: true,
            ..text
        };
        let json = OutputOptions {
            format: Format::Json,
            ..text
        };
        assert_eq!(printed(text, Exit::Agreement), "text\nverdict\n");
        assert_eq!(printed(quiet, Exit::Agreement), "verdict\n");
        for exit in [Exit::Agreement, Exit::NothingCompared] {
            assert_eq!(printed(json, exit), "1\n");
        }
        for options in [text, quiet] {
            let printed = printed(options, Exit::NothingCompared);
            let last = printed.lines().last();
            assert_eq!(last, Some("no agreement: no kernel"));
        }
    }

    #[test]
    fn colours_of_a_wrong_command_line_are_those_asked_for() {
        let of = |line: &str| color_of(line.split(' ').map(String::from));
        assert_eq!(of("harness --color=never chekc"), clap::ColorChoice::Never);
        assert_eq!(of("harness --color always"), clap::ColorChoice::Always);
        assert_eq!(
            of("harness check -- --color=never"),
            clap::ColorChoice::Auto
        );
        assert_eq!(of("harness --color=mauve"), clap::ColorChoice::Auto);
    }
}
