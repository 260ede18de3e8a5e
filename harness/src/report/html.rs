//! Writes the page as one HTML file without scripts and external resources. The file is also well-formed XML.

use askama::Template;

use super::error::ReportError;
use super::page::{Block, Inline, Line, Page};
use crate::printable;

/// Renders a page as HTML.
///
/// # Errors
///
/// [`ReportError::Template`]. Writing into a string does not fail in practice.
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
    /// The folded blocks, which may contain folds themselves.
    fn below<'a>(&self, blocks: &'a [Block]) -> Blocks<'a> {
        Blocks { blocks }
    }
}

fn line(line: &Line) -> Result<String, askama::Error> {
    Words { line }.render()
}

#[allow(
    unreachable_pub,
    reason = "the macro creates a public item for each filter"
)]
mod filters {
    use askama::{Result, Values};

    use crate::report::page::{self, Line};
    use crate::verdict::Verdict;

    /// A line with its formatting.
    #[askama::filter_fn]
    pub(super) fn html(line: &Line, _: &dyn Values) -> Result<String> {
        super::line(line)
    }

    /// The symbol of a verdict.
    #[askama::filter_fn]
    pub(super) fn symbol(verdict: &Verdict, _: &dyn Values) -> Result<&'static str> {
        Ok(page::symbol(*verdict))
    }

    /// The name of a verdict as text.
    #[askama::filter_fn]
    pub(super) fn words(verdict: &Verdict, _: &dyn Values) -> Result<String> {
        Ok(page::words(*verdict))
    }
}
