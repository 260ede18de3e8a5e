//! The first and last lines of a process' standard error.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

/// Number of first lines kept. The cause is usually among them.
const FIRST: usize = 8;
/// Number of last lines kept.
const LAST: usize = 20;
/// Maximal length of a line in bytes. Longer lines are split.
const LINE_BYTES: u64 = 400;

/// Some first and last lines.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    first: Vec<String>,
    left_out: usize,
    last: VecDeque<String>,
}

impl Excerpt {
    /// Reads to the end and passes every line to `line` as soon as it is complete.
    pub(crate) fn each_line(from: impl Read, mut line: impl FnMut(String)) -> io::Result<()> {
        let mut from = BufReader::new(from);
        loop {
            let mut bytes = Vec::new();
            if (&mut from).take(LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(());
            }
            line(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        }
    }

    /// Adds a line unless it is blank or a stack frame.
    pub(crate) fn add(&mut self, line: String) {
        if line.is_empty() || is_frame(&line) {
            return;
        }
        if self.first.len() < FIRST {
            return self.first.push(line);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    /// The kept lines, with the number of omitted lines between them.
    pub(crate) fn text(&self) -> String {
        let left_out = (self.left_out > 0).then(|| format!("[{} lines]", self.left_out));
        let lines: Vec<&str> = self
            .first
            .iter()
            .chain(&left_out)
            .chain(&self.last)
            .map(String::as_str)
            .collect();
        lines.join("\n")
    }
}

/// Whether a line is a frame of glibc's backtrace, `FILE(+OFFSET)[ADDRESS]`. Oracles export no names for it, and
/// addresses differ between processes.
fn is_frame(line: &str) -> bool {
    line.ends_with(']') && line.contains("+0x") && line.contains(")[0x")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &[u8]) -> String {
        let mut excerpt = Excerpt::default();
        Excerpt::each_line(text, |line| excerpt.add(line)).unwrap();
        excerpt.text()
    }

    #[test]
    fn short_texts_are_kept_whole() {
        assert_eq!(excerpt(b""), "");
        assert_eq!(
            excerpt(b"one\n\ntwo\r\nthr\xffee"),
            "one\ntwo\nthr\u{fffd}ee"
        );
    }

    #[test]
    fn frames_of_a_backtrace_are_left_out() {
        let text = b"a.c:7: x[0x1] failed\n/proc/self/fd/4(+0x3bb48)[0x7f22]\nlibc.so.6(main+0x85)[0x7f23]\n";
        assert_eq!(excerpt(text), "a.c:7: x[0x1] failed");
    }

    #[test]
    fn long_texts_keep_their_ends() {
        let text: String = (0..100).map(|i| format!("line {i}\n")).collect();
        let kept = excerpt(text.as_bytes());
        let lines: Vec<&str> = kept.lines().collect();
        assert_eq!(lines.len(), FIRST + 1 + LAST);
        assert_eq!((lines[0], lines[FIRST]), ("line 0", "[72 lines]"));
        assert_eq!(lines.last(), Some(&"line 99"));
    }

    #[test]
    fn a_line_without_end_is_split() {
        let kept = excerpt(&[b'x'; 1 << 20]);
        assert!(kept.len() < (FIRST + LAST + 2) * (LINE_BYTES as usize + 1));
    }
}
