//! The contents of a report without formatting: sections of paragraphs, tables, figures and commands.
//!
//! HTML and Markdown are rendered from a page, so both have the same contents. Strings of receipts are stored
//! unescaped. Each renderer escapes invisible characters and the syntax of its language.

use crate::verdict::Verdict;

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Title.
    pub title: String,
    /// Verdict over all current receipts.
    pub verdict: Verdict,
    /// Explanation of the verdict in one or two sentences.
    pub lead: Line,
    /// Sections in order.
    pub sections: Vec<Section>,
}

/// A section with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Anchor of its heading, unique in the page.
    pub id: &'static str,
    /// Heading.
    pub title: &'static str,
    /// Contents.
    pub blocks: Vec<Block>,
}

/// A block of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading below that of the section.
    Heading(String),
    /// A paragraph.
    Text(Line),
    /// A list.
    List(Vec<Line>),
    /// The main numbers as tiles.
    Tiles(Vec<Tile>),
    /// A table.
    Table(Table),
    /// A group of figures.
    Figures(Vec<Figure>),
    /// A command line.
    Command(String),
    /// Blocks that are hidden until they are opened.
    Fold {
        /// The visible summary.
        summary: Line,
        /// The hidden blocks.
        blocks: Vec<Block>,
    },
}

/// One main number.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// Label.
    pub label: String,
    /// The number or verdict.
    pub figure: Line,
    /// Details.
    pub note: Line,
}

/// A table. The first cell of a row is its heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Caption.
    pub caption: String,
    /// Columns from left to right.
    pub columns: Vec<Column>,
    /// Rows, each with a cell for every column.
    pub rows: Vec<Vec<Line>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub heading: String,
    /// Whether it contains numbers.
    pub is_number: bool,
}

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Title.
    pub title: String,
    /// Alt text.
    pub words: String,
    /// An `svg` element for a page.
    pub svg: String,
}

/// An inline element of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Text.
    Text(String),
    /// A name, a number or a command in a monospaced font.
    Code(String),
    /// Emphasized text.
    Strong(String),
    /// A verdict.
    Verdict(Verdict),
    /// Yes or no, with a description.
    Mark(bool, &'static str),
    /// A link to a section of the page.
    Link {
        /// Text.
        text: String,
        /// Anchor.
        id: &'static str,
    },
}

/// A sequence of inline elements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Inline>);

impl Line {
    /// A line of text.
    pub fn text(text: impl AsRef<str>) -> Line {
        Line::default().and(text)
    }

    /// A line of code.
    pub fn code(text: impl AsRef<str>) -> Line {
        Line::default().and_code(text)
    }

    /// Appends text.
    pub fn and(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Text(text.as_ref().into()));
        self
    }

    /// Appends code.
    pub fn and_code(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Code(text.as_ref().into()));
        self
    }

    /// Appends emphasized text.
    pub fn and_strong(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Strong(text.as_ref().into()));
        self
    }

    /// Appends a link to a section of the page.
    pub fn and_link(mut self, text: impl AsRef<str>, id: &'static str) -> Line {
        let text = text.as_ref().into();
        self.0.push(Inline::Link { text, id });
        self
    }
}

impl From<Verdict> for Line {
    fn from(verdict: Verdict) -> Line {
        Line(vec![Inline::Verdict(verdict)])
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Line {
        Line::text(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Line {
        Line(vec![Inline::Text(text)])
    }
}

impl Block {
    /// A paragraph.
    pub fn text(line: impl Into<Line>) -> Block {
        Block::Text(line.into())
    }

    /// Blocks that are hidden until they are opened.
    pub fn fold(summary: impl Into<Line>, blocks: Vec<Block>) -> Block {
        let summary = summary.into();
        Block::Fold { summary, blocks }
    }
}

/// Builds a table with a row for each item, column by column.
#[derive(Debug)]
pub struct Rows<'a, T> {
    items: &'a [T],
    table: Table,
}

impl<'a, T> Rows<'a, T> {
    /// A table without columns.
    pub fn new(caption: impl Into<String>, items: &'a [T]) -> Rows<'a, T> {
        let table = Table {
            caption: caption.into(),
            columns: Vec::new(),
            rows: vec![Vec::new(); items.len()],
        };
        Rows { items, table }
    }

    /// Adds a column with the cell of each item. A `#` at the end of the heading marks numbers and is removed.
    pub fn column<L: Into<Line>>(mut self, heading: &str, cell: impl Fn(&'a T) -> L) -> Self {
        self.table.columns.push(Column {
            heading: heading.trim_end_matches('#').into(),
            is_number: heading.ends_with('#'),
        });
        for (row, item) in self.table.rows.iter_mut().zip(self.items) {
            row.push(cell(item).into());
        }
        self
    }

    /// The table as a block that is never folded.
    pub fn unfolded(self) -> Block {
        Block::Table(self.table)
    }

    /// The table as a block, folded if it has more than 24 rows.
    pub fn block(self) -> Block {
        const SHORT: usize = 24;
        if self.items.len() <= SHORT {
            return self.unfolded();
        }
        let summary = format!("{}: {} rows", self.table.caption, self.items.len());
        Block::fold(summary, vec![self.unfolded()])
    }
}

/// The symbol of a verdict, so that colour is not the only indication.
pub fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Exact => "✓",
        Verdict::WithinNoiseFloor => "≈",
        Verdict::KnownDivergence => "!",
        Verdict::Skipped => "–",
        Verdict::Unsupported => "∅",
        Verdict::Divergent => "✗",
    }
}

/// The name of a verdict as text.
pub fn words(verdict: Verdict) -> String {
    verdict.name().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tables_fold() {
        let table = |n: usize| {
            let items = vec![7; n];
            let rows = Rows::new("rows", &items).column("name", |_| "x");
            rows.column("n#", |n| n.to_string()).block()
        };
        let Block::Table(short) = table(24) else {
            panic!("a short table is folded");
        };
        assert!(short.columns[1].is_number && short.columns[1].heading == "n");
        assert!(matches!(table(100), Block::Fold { .. }));
    }
}
