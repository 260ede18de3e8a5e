//! Escapes characters that are invisible, change the order of the text, or control a terminal.
//!
//! Names in model files, receipts, and messages of oracles and workers are untrusted, and a terminal executes some
//! characters instead of showing them. They are escaped in the two places where text leaves the program: the writer of
//! the terminal, and [`Destination::write_text`](crate::destination::Destination::write_text) for documents.
//!
//! Escapes have the form of JSON (`\u001b`), so an escaped JSON document keeps its meaning.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes hidden characters, except line ends.
pub fn text(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_hidden(c))
}

/// Escapes hidden characters and line ends, so that the result is a single line.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_hidden)
}

/// Whether a character is not shown as itself: control characters, format characters (bidirectional overrides,
/// zero-width ones), line separators, unassigned and private ones, and marks that overprint their neighbour. These are
/// the characters that `Debug` of the standard library escapes from Unicode's tables, plus four fillers, which these
/// tables class as letters and which are blank.
fn is_hidden(c: char) -> bool {
    match c {
        // `Debug` escapes these only because it quotes.
        '"' | '\'' | '\\' => false,
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => true,
        c => c.escape_debug().len() != 1,
    }
}

fn escape(text: &str, hides: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hides) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hides(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(shown, "\\u{unit:04x}").expect("a string can be written");
                }
            }
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character of each hidden kind.
    const HIDDEN: &str = "\0\u{7}\u{8}\t\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\u{2028}\
        \u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{300}\u{3164}\u{feff}\u{fff9}\u{fffe}\u{e000}\u{e0041}\u{10ffff}";

    #[test]
    fn hidden_characters_are_escaped() {
        for hidden in HIDDEN.chars() {
            let shown = text(&format!("a{hidden}b")).into_owned();
            assert!(
                shown.starts_with("a\\") && shown.ends_with('b') && shown.len() > 3,
                "{shown}"
            );
            assert!(shown.is_ascii(), "{shown}");
        }
        assert_eq!(text("\u{1b}]0;title\u{7}"), "\\u001b]0;title\\u0007");
        assert_eq!(line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(text("a\nb"), "a\nb");
    }

    #[test]
    fn visible_characters_are_kept() {
        let plain = "blk.0.attn_q.weight \\ 'x' \"y\" µ ≈ ✓ ✗ – ─ 模型 ❌ ✅ é";
        assert!(matches!(line(plain), Cow::Borrowed(_)), "{}", line(plain));
    }

    #[test]
    fn escaped_json_keeps_its_meaning() {
        let json = serde_json::to_string(HIDDEN).unwrap();
        let escaped = text(&json);
        assert!(escaped.is_ascii(), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), HIDDEN);
    }
}
