//! Prints results according to the options that every command has.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::ColorChoice;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::annotation::{self, Annotation};
use super::terminal::{Terminal, print_error, print_message};
use super::{CliError, limits};
use crate::destination::Destinations;
use crate::exit::Exit;
use crate::receipt::Receipt;
use crate::{inherited, supervisor};

/// Options for printing the result. Flatten them into the arguments of a program.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// List items that are otherwise only counted, such as each skipped kernel
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print only the verdict
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Format of the result
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    format: Format,
    /// When to use colours; `auto` depends on the terminal and on NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// Text for people
    #[default]
    Text,
    /// One JSON document for programs
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

/// Whether progress bars are hidden.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether the process was started with `--quiet`.
pub(super) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

impl OutputOptions {
    /// Sets the global state of the process: colours and the visibility of progress bars.
    fn apply(self) {
        ColorChoice::from(self.color).write_global();
        QUIET.store(self.quiet, Ordering::Relaxed);
    }
}

/// Runs a command with standard output, prints its error and annotations on standard error, and returns the exit code.
///
/// The command runs in a child process, which a crash or a system limit may end: see [`supervisor`]. Call this before
/// the process starts threads.
///
/// Writes of the command never fail, and it always runs to its end. A reader that closed the pipe changes nothing.
/// Output that is lost for another reason, such as a full disk, is an error instead of agreement.
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

/// Like [`conclude`], but in this process.
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
    // Flushed here, so that the output precedes the error and lost output affects the exit code.
    let lost = stdout.finish().err().map(CliError::from);
    let error = match result {
        Ok(Exit::Agreement) => lost.map_or(Ok(Exit::Agreement), Err),
        // A divergence remains one, even if it could not be printed.
        result => result,
    };
    let exit = error.unwrap_or_else(|error| {
        let words = limits::explained(&error);
        print_error(&words);
        let exit = error.exit();
        annotations.push(Annotation::new("harness", words));
        exit
    });
    annotation::print(&annotations, &mut inherited::terminal());
    exit
}

/// The output of a command: text for people or one document for programs.
pub struct Output<'o> {
    out: &'o mut dyn Write,
    /// Destination of the text while another option's document uses standard output.
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
    /// Creates an output with these options.
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

    /// Whether text lists items that are otherwise counted.
    pub(super) fn is_verbose(&self) -> bool {
        self.options.verbose
    }

    /// The writer for text. Text is discarded with `--quiet` and with a document as the result.
    pub(super) fn text(&mut self) -> &mut dyn Write {
        if self.is_json() || self.options.quiet {
            &mut self.nowhere
        } else {
            self.people()
        }
    }

    /// The writer for the verdict, which `--quiet` does not discard.
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

    /// Reserves standard output for a document of another option, if there is one. Text then goes to standard error.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if the result itself is a document for standard output.
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

    /// Prints the result as a document if one was requested. `document` is not called otherwise. A command calls this
    /// once.
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

    /// Prints the receipt of a run as its document. An interrupted run has none.
    ///
    /// # Errors
    ///
    /// [`CliError::Receipt`] for a receipt with a number that JSON cannot represent.
    pub(super) fn receipt(&mut self, receipt: Option<&Receipt>) -> Result<(), CliError> {
        if let (true, Some(receipt)) = (self.is_json(), receipt) {
            self.documents += 1;
            let text = receipt.to_json(Path::new("standard output"))?;
            self.out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// Checks that no document was requested, for commands whose output is already for programs.
    ///
    /// # Errors
    ///
    /// [`CliError::Usage`] if a document was requested.
    pub(super) fn require_text(&self) -> Result<(), CliError> {
        if self.is_json() {
            return Err(CliError::Usage(
                "this command has no result that could be printed as JSON".into(),
            ));
        }
        Ok(())
    }

    /// Adds an annotation of a failure for a CI run.
    pub(super) fn annotate(&mut self, title: impl fmt::Display, message: impl fmt::Display) {
        self.annotations.push(Annotation::new(title, message));
    }

    /// Records why something requested was not compared, for a command that ends with [`Exit::NothingCompared`].
    pub(super) fn nothing_compared(&mut self, reason: impl Into<String>) {
        self.nothing_compared.push(reason.into());
    }

    /// Completes the output of a command that ended with `exit`. Every code except 0 is explained.
    fn finish(&mut self, exit: Exit) -> Result<Exit, CliError> {
        if exit == Exit::NothingCompared {
            let reasons = match &self.nothing_compared[..] {
                [] => "nothing was compared".into(),
                reasons => reasons.join("; "),
            };
            let words = format!("no agreement: {reasons}");
            if self.is_json() {
                print_message(&words);
            } else {
                writeln!(self.people(), "{words}")?;
            }
            self.annotate("harness", words);
        }
        if exit == Exit::Divergence && self.annotations.is_empty() {
            self.annotate("harness", "something differs, see the output above");
        }
        debug_assert_eq!(self.documents, usize::from(self.is_json()));
        self.out.flush()?;
        Ok(exit)
    }
}

/// Sets colours for the whole process if its command line is invalid.
pub(super) fn apply(color: clap::ColorChoice) {
    let color = match color {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    color.write_global();
}

/// The value of `--color` on a command line that may be invalid, for the help and the errors of clap.
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
    fn each_option_selects_its_output() {
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
    fn errors_of_the_command_line_have_the_requested_colours() {
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
