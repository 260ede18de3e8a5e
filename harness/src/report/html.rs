//! The page as one HTML file: no script, nothing from a network, and well-formed XML besides.

use askama::Template;

use super::error::ReportError;
use super::page::{Block, Inline, Line, Page};
use crate::printable;

/// Writes a page down.
///
/// # Errors
///
/// [`ReportError::Template`]; writing into a string does not fail in practice.
pub fn write(page: &Page) -> Result<String, ReportError> {
    let index = Index {
        page,
        style: include_str!("../../templates/report/style.css"),
        lead: line(&page.lead)?,
    };
    Ok(printable::text(&index.render()?).into_owned())
}

#[derive(Template)]
#[template(path = "report/index.html")]
struct Index<'a> {
    page: &'a Page,
    style: &'static str,
    lead: String,
}

#[derive(Template)]
#[template(path = "report/blocks.html")]
struct Blocks<'a> {
    blocks: &'a [Block],
}

#[derive(Template)]
#[template(path = "report/line.html")]
struct Words<'a> {
    line: &'a Line,
}

impl Index<'_> {
    fn blocks<'a>(&self, blocks: &'a [Block]) -> Blocks<'a> {
        Blocks { blocks }
    }
}

impl Blocks<'_> {
    /// What is folded, which may hold folds again.
    fn below<'a>(&self, blocks: &'a [Block]) -> Blocks<'a> {
        Blocks { blocks }
    }
}

fn line(line: &Line) -> Result<String, askama::Error> {
    Words { line }.render()
}

#[allow(
    unreachable_pub,
    reason = "the macro makes a public item beside each filter"
)]
mod filters {
    use askama::{Result, Values};

    use crate::report::page::{self, Line};
    use crate::verdict::Verdict;

    /// A line with its marks.
    #[askama::filter_fn]
    pub(super) fn html(line: &Line, _: &dyn Values) -> Result<String> {
        super::line(line)
    }

    /// The symbol of a verdict.
    #[askama::filter_fn]
    pub(super) fn symbol(verdict: &Verdict, _: &dyn Values) -> Result<&'static str> {
        Ok(page::symbol(*verdict))
    }

    /// A verdict in words.
    #[askama::filter_fn]
    pub(super) fn words(verdict: &Verdict, _: &dyn Values) -> Result<String> {
        Ok(page::words(*verdict))
    }
}
