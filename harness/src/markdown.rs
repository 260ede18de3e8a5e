//! Escapes text for GitHub Flavored Markdown and the HTML in it.

use crate::printable;

/// Escapes text into one line without special meaning in Markdown, table cells or HTML.
pub(crate) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable::line(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A code span whose fence is longer than any run of backticks in the text.
pub(crate) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = printable::line(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

/// A fenced code block with a language tag. The fence does not occur in the text.
pub(crate) fn block(language: &str, text: &str) -> String {
    let text = printable::text(text.trim_end());
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`');
    runs.map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_escaped() {
        assert_eq!(text("<b>|*x*"), "&lt;b&gt;\\|\\*x\\*");
        assert_eq!(text("a\n# b\u{1b}"), "a\\\\n\\# b\\\\u001b");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(code("a\n\nb"), "`a\\n\\nb`");
    }

    #[test]
    fn a_fence_is_longer_than_those_in_the_text() {
        assert_eq!(block("sh", "x ```` y"), "`````sh\nx ```` y\n`````\n");
        assert_eq!(block("text", "a\n\u{1b}b\n"), "```text\na\n\\u001bb\n```\n");
    }
}
