//! What commands print, on its way to standard output or standard error.
//!
//! [`Terminal`] is the one place where three promises are kept, whatever a command prints and whoever reads it:
//!
//! - Nothing that came from a file is obeyed by a terminal: everything is [escaped](printable) but line ends and our own
//!   styles. A [`Styled`] value stands in the text as a mark that only this process can write, since it holds a number
//!   that no file can know; the marks become colours here.
//! - A reader that has gone is no reason to stop: what follows is discarded, the work goes on to its end, and the verdict
//!   decides the exit code.
//! - Output that is lost for another reason, such as a full disk, does not stop the work either, and is an error at
//!   its end.

use std::fmt::{self, Display};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::LazyLock;

use anstream::AutoStream;

use crate::{printable, supervisor};

/// A value in bold letters or a colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Styled<T> {
    /// Parameters of the ANSI sequence that selects it, such as `1;31`.
    code: &'static str,
    value: T,
}

/// A value that stands out.
pub(super) fn bold<T>(value: T) -> Styled<T> {
    coloured("1", value)
}

/// The word for something that is wrong.
pub(super) fn bad<T>(value: T) -> Styled<T> {
    coloured("1;31", value)
}

/// The word for something that is as it should be.
pub(super) fn good<T>(value: T) -> Styled<T> {
    coloured("1;32", value)
}

/// A value in the style of these parameters of an ANSI sequence.
pub(super) fn coloured<T>(code: &'static str, value: T) -> Styled<T> {
    Styled { code, value }
}

/// Both are no characters by Unicode's definition: they are for use within a program, and no text has them.
const MARK: char = '\u{fdd0}';
const MARK_END: char = '\u{fdd1}';

/// What the marks of this process begin with. A text that was made to hold marks cannot hold these.
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

/// Text as a terminal gets it: escaped, with the styles as ANSI sequences.
fn shown(text: &str) -> String {
    let mut parts = text.split(SECRET.as_str());
    let mut shown = printable::text(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        // All marks are written whole.
        let (code, rest) = part.split_once(MARK_END).unwrap_or(("0", part));
        shown.push_str(&format!("\x1b[{code}m{}", printable::text(rest)));
    }
    shown
}

/// Text without styles, not escaped, for documents.
pub(super) fn plain(text: &str) -> String {
    let mut parts = text.split(SECRET.as_str());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(MARK_END).map_or(part, |(_, rest)| rest));
    }
    plain
}

/// A stream of text for people: see the [module](self). Writing to it never fails; what it lost, [`finish`] tells.
///
/// [`finish`]: Terminal::finish
pub(super) struct Terminal<W: Write> {
    stream: W,
    /// What has no line end yet.
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
    /// The standard error that the command was given.
    pub(super) fn stderr() -> Self {
        Terminal::new(supervisor::styled_terminal())
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

    /// Writes what is left.
    ///
    /// # Errors
    ///
    /// The first error that lost output. That the reader has gone is none.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self.lost.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Passes on the first `length` bytes that were kept.
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

/// Prints something on standard error. Nobody may be there to read it.
pub(super) fn tell(what: &dyn Display) {
    writeln!(Terminal::stderr(), "{what}").ok();
}

/// Prints an error on standard error.
pub(super) fn tell_error(error: &dyn Display) {
    let words = error.to_string();
    tell(&format_args!("{} {}", bad("error:"), indented(&words)));
}

/// Text of several lines, none of which but the first can pass for a line of our own.
pub(super) fn indented(text: &str) -> String {
    text.replace('\n', "\n      ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_styles_are_obeyed() {
        let hostile = "\x1b]0;title\x07\x1b[31mred\u{202e}\u{9b}1m";
        let line = format!("{} {}: {hostile}", bold(hostile), bad("differs"));
        assert_eq!(
            shown(&line),
            "\x1b[1m\\u001b]0;title\\u0007\\u001b[31mred\\u202e\\u009b1m\x1b[0m \x1b[1;31mdiffers\x1b[0m: \
             \\u001b]0;title\\u0007\\u001b[31mred\\u202e\\u009b1m"
        );
        assert_eq!(plain(&line), format!("{hostile} differs: {hostile}"));
        // A mark that was read from somewhere, and one that was cut off.
        let forged = format!("{MARK}0123456789abcdef1;31{MARK_END}x");
        assert_eq!(shown(&forged), "\\ufdd00123456789abcdef1;31\\ufdd1x");
    }

    #[test]
    fn lines_that_come_in_pieces_are_put_together() {
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

    /// Fails with the same kind of error each time.
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
    fn lost_output_stops_nothing_and_only_a_reader_may_go() {
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
