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
    let style = include_str!("../../templates/report/style.css");
    Ok(printable::text(&Index { page, style }.render()?).into_owned())
}

#[derive(Template)]
#[template(path = "report/index.html")]
struct Index<'a> {
    page: &'a Page,
    style: &'static str,
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

#[allow(
    unreachable_pub,
    reason = "the macro creates a public item for each filter"
)]
mod filters {
    use askama::{Result, Template, Values};

    use crate::report::page::{self, Block, Line};
    use crate::verdict::Verdict;

    /// A line with its formatting.
    #[askama::filter_fn]
    pub(super) fn html(line: &Line, _: &dyn Values) -> Result<String> {
        super::Words { line }.render()
    }

    /// Blocks, which may contain blocks themselves.
    #[askama::filter_fn]
    pub(super) fn blocks(blocks: &[Block], _: &dyn Values) -> Result<String> {
        super::Blocks { blocks }.render()
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
