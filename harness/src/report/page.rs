//! What a report says, apart from how it looks: sections of paragraphs, tables, figures and commands.
//!
//! HTML and Markdown are written from this alone, so that both say the same. What comes from a receipt is text here, and
//! nothing else: each writer escapes all of it, what is hidden as well as what its language means.

use crate::verdict::Verdict;

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Title.
    pub title: String,
    /// The verdict over everything current.
    pub verdict: Verdict,
    /// Why the verdict is what it is, in a sentence or two.
    pub lead: Line,
    /// What follows, in order.
    pub sections: Vec<Section>,
}

/// A section with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Anchor of its heading, unique in the page.
    pub id: &'static str,
    /// Heading.
    pub title: &'static str,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading below that of the section.
    Heading(String),
    /// A paragraph.
    Text(Line),
    /// A list.
    List(Vec<Line>),
    /// The main figures, each at a glance.
    Tiles(Vec<Tile>),
    /// A table.
    Table(Table),
    /// Drawings that belong together.
    Figures(Vec<Figure>),
    /// A command line.
    Command(String),
    /// What is folded until somebody asks.
    Fold {
        /// What it is about.
        summary: Line,
        /// What is folded.
        blocks: Vec<Block>,
    },
}

/// One main figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// Of what.
    pub label: String,
    /// The figure.
    pub figure: Line,
    /// What it is made of.
    pub note: Line,
}

/// A table; the first cell of a row says what the row is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it shows.
    pub caption: String,
    /// Columns, from the left.
    pub columns: Vec<Column>,
    /// Rows, each with a cell for every column.
    pub rows: Vec<Vec<Line>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub heading: String,
    /// Whether it holds numbers.
    pub is_number: bool,
}

/// A drawing, with all that it shows in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it shows.
    pub title: String,
    /// What is to be seen there, for those who do not see it.
    pub words: String,
    /// An `svg` element that fits into a page.
    pub svg: String,
}

/// Some words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Text.
    Text(String),
    /// A name, a number or a command as it is written to a machine.
    Code(String),
    /// What matters most.
    Strong(String),
    /// A verdict.
    Verdict(Verdict),
    /// Yes or no, with the word for it.
    Mark(bool, &'static str),
    /// A link to a section of the page.
    Link {
        /// Text.
        text: String,
        /// Anchor.
        id: &'static str,
    },
}

/// Words in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Inline>);

impl Line {
    /// These words.
    pub fn text(text: impl AsRef<str>) -> Line {
        Line::default().and(text)
    }

    /// This name.
    pub fn code(text: impl AsRef<str>) -> Line {
        Line::default().and_code(text)
    }

    /// With words after it.
    pub fn and(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Text(text.as_ref().into()));
        self
    }

    /// With a name after it.
    pub fn and_code(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Code(text.as_ref().into()));
        self
    }

    /// With what matters most after it.
    pub fn and_strong(mut self, text: impl AsRef<str>) -> Line {
        self.0.push(Inline::Strong(text.as_ref().into()));
        self
    }

    /// With a link after it.
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

impl Table {
    /// A table without rows. Columns whose heading ends in `#` hold numbers, and lose the sign.
    pub fn new(caption: impl AsRef<str>, headings: &[&str]) -> Table {
        let column = |heading: &&str| Column {
            heading: heading.trim_end_matches('#').into(),
            is_number: heading.ends_with('#'),
        };
        Table {
            caption: caption.as_ref().into(),
            columns: headings.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If it has not a cell for every column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Line>) {
        let row: Vec<Line> = cells.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "{}", self.caption);
        self.rows.push(row);
    }

    /// The table as it is if it is short, and folded if it is long.
    pub fn block(self) -> Block {
        const SHORT: usize = 24;
        if self.rows.len() <= SHORT {
            return Block::Table(self);
        }
        let summary = Line::text(format!("{}: {} rows", self.caption, self.rows.len()));
        Block::Fold {
            summary,
            blocks: vec![Block::Table(self)],
        }
    }
}

/// The symbol of a verdict: colour is never the only sign.
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

/// A verdict in words.
pub fn words(verdict: Verdict) -> String {
    verdict.name().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_tables_fold() {
        let mut table = Table::new("rows", &["name", "n#"]);
        assert!(table.columns[1].is_number && table.columns[1].heading == "n");
        assert!(matches!(table.clone().block(), Block::Table(_)));
        for i in 0..100 {
            table.row([Line::text("x"), Line::text(i.to_string())]);
        }
        assert!(matches!(table.block(), Block::Fold { .. }));
    }
}
