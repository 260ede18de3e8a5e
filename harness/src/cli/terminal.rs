//! Writes the output of commands to standard output and standard error.
//!
//! [`Terminal`] is the only place that handles escaping and write errors:
//!
//! - Everything is [escaped](printable) except line ends and the program's own styles, so text from a file cannot
//!   control the terminal. A [`Styled`] value is written as a mark that contains a random number, so that no file can
//!   contain it. Marks are replaced by colours here.
//! - If the reader closed the pipe, output is discarded, the work continues, and the verdict decides the exit code.
//! - If output is lost for another reason, such as a full disk, the work continues too, and the loss is an error at the
//!   end.

use std::fmt::{self, Display};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::LazyLock;

use anstream::AutoStream;

use crate::{inherited, printable};

/// A value in bold or in colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Styled<T> {
    /// Parameters of the ANSI sequence of the style, such as `1;31`.
    code: &'static str,
    value: T,
}

/// A value in bold.
pub(super) fn bold<T>(value: T) -> Styled<T> {
    coloured("1", value)
}

/// A word for a failure.
pub(super) fn bad<T>(value: T) -> Styled<T> {
    coloured("1;31", value)
}

/// A word for a success.
pub(super) fn good<T>(value: T) -> Styled<T> {
    coloured("1;32", value)
}

/// A value in the style with these ANSI parameters.
pub(super) fn coloured<T>(code: &'static str, value: T) -> Styled<T> {
    Styled { code, value }
}

/// Unicode reserves both as noncharacters for use within a program, so no text contains them.
const MARK: char = '\u{fdd0}';
const MARK_END: char = '\u{fdd1}';

/// The beginning of all marks of this process. It is random, so that no text can forge a mark.
static SECRET: LazyLock<String> = LazyLock::new(|| {
    let number = RandomState::new().hash_one(std::process::id());
    format!("{MARK}{number:016x}")
});

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secret, code) = (&*SECRET, self.code);
        write!(
            f,
            "{secret}{code}{MARK_END}{}{secret}0{MARK_END}",
            self.value
        )
    }
}

/// Text for a terminal: escaped, with the styles as ANSI sequences.
fn shown(text: &str) -> String {
    let mut parts = text.split(SECRET.as_str());
    let mut shown = printable::text(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        // Every mark is complete.
        let (code, rest) = part.split_once(MARK_END).unwrap_or(("0", part));
        shown.push_str(&format!("\x1b[{code}m{}", printable::text(rest)));
    }
    shown
}

/// Text without styles and without escaping, for documents.
pub(super) fn plain(text: &str) -> String {
    let mut parts = text.split(SECRET.as_str());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(MARK_END).map_or(part, |(_, rest)| rest));
    }
    plain
}

/// A stream of text for people, see the [module](self). Writing never fails. [`finish`] returns the first error.
///
/// [`finish`]: Terminal::finish
pub(super) struct Terminal<W: Write> {
    stream: W,
    /// The incomplete last line.
    line: Vec<u8>,
    lost: Option<io::Error>,
}

impl Terminal<AutoStream<io::Stdout>> {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        Terminal::new(AutoStream::auto(io::stdout()))
    }
}

impl Terminal<Box<dyn Write>> {
    /// The original standard error of the command.
    pub(super) fn stderr() -> Self {
        Terminal::new(inherited::styled_terminal())
    }
}

impl<W: Write> Terminal<W> {
    fn new(stream: W) -> Self {
        Terminal {
            stream,
            line: Vec::new(),
            lost: None,
        }
    }

    /// Writes the remaining text.
    ///
    /// # Errors
    ///
    /// The first error that lost output, except that the reader closed the pipe.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.lost.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes the first `length` bytes of the buffer.
    fn pass_on(&mut self, length: usize) {
        let rest = self.line.split_off(length);
        let bytes = std::mem::replace(&mut self.line, rest);
        if bytes.is_empty() || self.lost.is_some() {
            return;
        }
        let text = shown(&String::from_utf8_lossy(&bytes));
        self.lost = self.stream.write_all(text.as_bytes()).err();
    }
}

impl<W: Write> Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') {
            self.pass_on(end + 1);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on(self.line.len());
        if self.lost.is_none() {
            self.lost = self.stream.flush().err();
        }
        Ok(())
    }
}

impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        self.flush().ok();
    }
}

/// Prints a message on standard error. Write errors are ignored.
pub(super) fn print_message(what: &dyn Display) {
    writeln!(Terminal::stderr(), "{what}").ok();
}

/// Prints an error on standard error.
pub(super) fn print_error(error: &dyn Display) {
    let words = error.to_string();
    print_message(&format_args!("{} {}", bad("error:"), indented(&words)));
}

/// Indents all lines but the first, so that they cannot be taken for lines of the program itself.
pub(super) fn indented(text: &str) -> String {
    text.replace('\n', "\n      ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_styles_become_escape_sequences() {
        let hostile = "\x1b]0;title\x07\x1b[31mred\u{202e}\u{9b}1m";
        let line = format!("{} {}: {hostile}", bold(hostile), bad("differs"));
        assert_eq!(
            shown(&line),
            "\x1b[1m\\u001b]0;title\\u0007\\u001b[31mred\\u202e\\u009b1m\x1b[0m \x1b[1;31mdiffers\x1b[0m: \
             \\u001b]0;title\\u0007\\u001b[31mred\\u202e\\u009b1m"
        );
        assert_eq!(plain(&line), format!("{hostile} differs: {hostile}"));
        // A forged mark and an incomplete mark.
        let forged = format!("{MARK}0123456789abcdef1;31{MARK_END}x");
        assert_eq!(shown(&forged), "\\ufdd00123456789abcdef1;31\\ufdd1x");
    }

    #[test]
    fn lines_written_in_pieces_are_joined() {
        let mut written = Vec::new();
        let mut terminal = Terminal::new(&mut written);
        let text = format!("{}µ\r\n", bold("a"));
        for byte in text.as_bytes() {
            terminal.write_all(&[*byte]).unwrap();
        }
        write!(terminal, "no end").unwrap();
        drop(terminal);
        let written = String::from_utf8(written).unwrap();
        assert_eq!(written, "\x1b[1ma\x1b[0mµ\\r\nno end");
    }

    /// A writer that always fails with this kind of error.
    struct Failing(io::ErrorKind, usize);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lost_output_is_an_error_except_for_a_closed_pipe() {
        for (kind, lost) in [
            (io::ErrorKind::BrokenPipe, None),
            (io::ErrorKind::StorageFull, Some(io::ErrorKind::StorageFull)),
        ] {
            let mut stream = Failing(kind, 0);
            let mut terminal = Terminal::new(&mut stream);
            for _ in 0..3 {
                writeln!(terminal, "a line").unwrap();
                terminal.flush().unwrap();
            }
            assert_eq!(terminal.finish().err().map(|error| error.kind()), lost);
            assert_eq!(stream.1, 1, "nothing more is written");
        }
    }
}
