//! Writes the page as Markdown for summaries and issues, with tables of GitHub Flavored Markdown and the alt text of
//! figures.

use super::page::{Block, Inline, Line, Page, Table, symbol, words};
use crate::markdown::{self, code, text as escaped};
use crate::printable;

/// Renders a page as Markdown.
pub fn write(page: &Page) -> String {
    let mut text = format!("# {}\n\n", escaped(&page.title));
    let verdict = format!("**{} {}**", symbol(page.verdict), words(page.verdict));
    text.push_str(&format!("{verdict} – {}\n", line(&page.lead)));
    for section in &page.sections {
        text.push_str(&format!("\n## {}\n", escaped(section.title)));
        let blocks = section.blocks.iter();
        blocks.for_each(|part| block(part, &mut text));
    }
    text
}

fn block(block: &Block, text: &mut String) {
    text.push('\n');
    match block {
        Block::Heading(heading) => text.push_str(&format!("### {}\n", escaped(heading))),
        Block::Text(words) => text.push_str(&format!("{}\n", line(words))),
        Block::List(lines) => {
            for words in lines {
                text.push_str(&format!("- {}\n", line(words)));
            }
        }
        Block::Tiles(tiles) => {
            for tile in tiles {
                let (label, figure, note) =
                    (escaped(&tile.label), line(&tile.figure), line(&tile.note));
                text.push_str(&format!("- {label}: {figure} ({note})\n"));
            }
        }
        Block::Table(rows) => table(rows, text),
        Block::Figures(figures) => {
            for figure in figures {
                let (title, words) = (escaped(&figure.title), escaped(&figure.words));
                text.push_str(&format!("- **{title}**: {words}\n"));
            }
        }
        Block::Command(command) => text.push_str(&markdown::block("sh", command)),
        Block::Fold { summary, blocks } => {
            // Markdown is not interpreted within an HTML block, so the summary is HTML.
            let summary = entities(&plain(summary));
            text.push_str(&format!("<details><summary>{summary}</summary>\n"));
            blocks.iter().for_each(|part| self::block(part, text));
            text.push_str("\n</details>\n");
        }
    }
}

fn table(table: &Table, text: &mut String) {
    text.push_str(&format!("**{}**\n\n", escaped(&table.caption)));
    let mut row = |cells: Vec<String>| text.push_str(&format!("| {} |\n", cells.join(" | ")));
    let columns = || table.columns.iter();
    row(columns().map(|column| escaped(&column.heading)).collect());
    let rule = |is_number: bool| if is_number { "---:" } else { "---" };
    let rules = columns().map(|column| rule(column.is_number).into());
    row(rules.collect());
    for cells in &table.rows {
        row(cells.iter().map(cell).collect());
    }
}

/// A line in a table. Bars are escaped in code too, because they would end the cell.
fn cell(words: &Line) -> String {
    let parts = words.0.iter().map(|part| match part {
        Inline::Code(text) => code(text).replace('|', "\\|"),
        other => inline(other),
    });
    parts.collect()
}

fn line(words: &Line) -> String {
    words.0.iter().map(inline).collect()
}

fn inline(part: &Inline) -> String {
    match part {
        Inline::Text(text) => escaped(text),
        Inline::Code(text) => code(text),
        Inline::Strong(text) => format!("**{}**", escaped(text)),
        Inline::Verdict(verdict) => format!("{} {}", symbol(*verdict), words(*verdict)),
        Inline::Mark(true, word) => format!("✓ {word}"),
        Inline::Mark(false, word) => format!("· {word}"),
        Inline::Link { text, id } => format!("[{}](#{id})", escaped(text)),
    }
}

/// A line without formatting.
fn plain(words: &Line) -> String {
    let parts = words.0.iter().map(|part| match part {
        Inline::Text(text)
        | Inline::Code(text)
        | Inline::Strong(text)
        | Inline::Link { text, .. } => text.clone(),
        Inline::Verdict(verdict) => self::words(*verdict),
        Inline::Mark(_, word) => (*word).to_owned(),
    });
    parts.collect()
}

fn entities(text: &str) -> String {
    let mut entities = String::with_capacity(text.len());
    for c in printable::line(text).chars() {
        match c {
            '<' => entities.push_str("&lt;"),
            '>' => entities.push_str("&gt;"),
            '&' => entities.push_str("&amp;"),
            c => entities.push(c),
        }
    }
    entities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_ends_no_cell() {
        let words = Line::code("a|b").and(" c|d");
        assert_eq!(cell(&words), "`a\\|b` c\\|d");
        assert_eq!(line(&words), "`a|b` c\\|d");
    }
}
