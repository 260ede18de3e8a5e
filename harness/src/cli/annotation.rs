//! Prints failures as annotations of a GitHub Actions run. The workflow commands go to standard error, which the runner
//! reads too, so that standard output holds only the requested result.

use std::env;
use std::fmt;
use std::io::Write;

use super::terminal;
use crate::printable;

/// Maximal number of annotations that GitHub shows for a step. It drops more silently.
const MOST: usize = 10;

/// A short description of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Annotation {
    title: String,
    message: String,
}

impl Annotation {
    pub(super) fn new(title: impl fmt::Display, message: impl fmt::Display) -> Annotation {
        Annotation {
            title: title.to_string(),
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = property(&self.title);
        write!(f, "::error title={title}::{}", data(&self.message))
    }
}

/// Prints annotations if the process runs in GitHub Actions.
pub(super) fn print(annotations: &[Annotation], out: &mut dyn Write) {
    let enabled = env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty());
    if enabled {
        // A write error is ignored: the exit code reports the failure too.
        let _ = write(annotations, out);
    }
}

fn write(annotations: &[Annotation], out: &mut dyn Write) -> std::io::Result<()> {
    let shown = if annotations.len() > MOST {
        MOST - 1
    } else {
        annotations.len()
    };
    for annotation in &annotations[..shown] {
        writeln!(out, "{annotation}")?;
    }
    match annotations.len() - shown {
        0 => Ok(()),
        n => {
            let rest = Annotation::new("harness", format_args!("and {n} more, all in the log"));
            writeln!(out, "{rest}")
        }
    }
}

/// Escapes the text after `::`, which ends with its line.
fn data(text: &str) -> String {
    let plain = terminal::plain(text);
    printable::text(&plain)
        .replace('%', "%25")
        .replace('\n', "%0A")
}

/// Escapes the text of a property, which ends at a colon or a comma.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_end_a_command_are_escaped() {
        let annotation = Annotation::new("a: b, 100 %", "one\r\n::error::two 5 %\x07\x1b[31m");
        assert_eq!(
            annotation.to_string(),
            "::error title=a%3A b%2C 100 %25::one\\r%0A::error::two 5 %25\\u0007\\u001b[31m"
        );
    }

    #[test]
    fn annotations_are_limited_and_the_rest_is_counted() {
        let printed = |n: usize| {
            let mut out = Vec::new();
            write(&vec![Annotation::new("t", "m"); n], &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(0), "");
        assert_eq!(printed(MOST).lines().count(), MOST);
        let many = printed(MOST + 5);
        assert_eq!(many.lines().count(), MOST);
        assert!(many.ends_with("and 6 more, all in the log\n"), "{many}");
    }
}
