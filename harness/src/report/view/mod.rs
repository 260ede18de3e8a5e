//! Creates the page of receipts, with one file for each section.

mod findings;
mod layers;
mod layouts;
mod levels;
mod mutants;
mod nodes;
mod provenance;
mod speed;
mod trend;
mod ulp;
mod verdict;

use super::collection::Collection;
use super::error::ReportError;
use super::page::{Block, Figure, Page, Section};
use super::plot::on_page;
use crate::outcome::Outcome;
use crate::receipt::{self, CheckSection, Receipt};
use crate::verdict::Verdict;

/// Creates the page of the current receipts.
///
/// # Errors
///
/// [`ReportError::Draw`] if a figure cannot be drawn. This does not happen in practice.
pub fn page_of(collection: &Collection) -> Result<Page, ReportError> {
    let findings = findings::of(collection);
    let sections = [
        verdict::section(collection, &findings),
        findings::section(&findings),
        levels::section(collection),
        layouts::section(collection)?,
        nodes::section(collection)?,
        ulp::section(collection)?,
        mutants::section(collection),
        speed::section(collection)?,
        trend::section(collection)?,
        provenance::section(collection),
    ];
    let verdict = verdict::overall(collection);
    Ok(Page {
        title: "qk256: parity of ternary kernels with llama.cpp".into(),
        verdict,
        lead: verdict::lead(collection, verdict),
        sections: sections.into(),
    })
}

/// A section of the page.
fn section(id: &'static str, title: &'static str, blocks: Vec<Block>) -> Section {
    Section { id, title, blocks }
}

/// The current checks, each with its receipt.
fn checks(collection: &Collection) -> impl Iterator<Item = (&Receipt, &CheckSection)> {
    let receipts = collection.current(receipt::Section::Check);
    receipts.filter_map(|receipt| Some((receipt, receipt.harness.check.as_ref()?)))
}

/// The outcomes of all current checks, each with the name of its model.
fn outcomes(collection: &Collection) -> impl Iterator<Item = (String, &Outcome)> {
    checks(collection).flat_map(|(receipt, check)| {
        let model = receipt.model_of(receipt::Section::Check);
        let outcomes = check.levels.iter().flat_map(|report| &report.outcomes);
        outcomes.map(move |outcome| (model.clone(), outcome))
    })
}

/// A figure with its drawing adapted to the page. `words` is the alt text.
fn figure(
    title: String,
    words: String,
    svg: Result<String, String>,
) -> Result<Figure, ReportError> {
    match svg {
        Ok(svg) => {
            let svg = on_page(&svg, &format!("{title}. {words}"));
            Ok(Figure { title, words, svg })
        }
        Err(reason) => {
            let figure = title;
            Err(ReportError::Draw { figure, reason })
        }
    }
}

/// Texts with a separator between them.
fn join(texts: impl IntoIterator<Item = impl Into<String>>, separator: &str) -> String {
    let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
    texts.join(separator)
}

/// The first digits of a hash.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A number with a noun in singular or plural, such as `2 kernels`.
fn several(n: usize, one: &str) -> String {
    let n = n as u64;
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", crate::wording::count(n))
}

/// The distance of values relative to the reference: the root of the normalised mean square error. None if the values
/// differ and have no distance, because a value is NaN or infinite, the reference is zero, or a node is missing or has
/// another shape.
fn relative_distance(mismatches: u64, non_finite: u64, nmse: Option<f64>) -> Option<f64> {
    match nmse {
        _ if mismatches == 0 => Some(0.0),
        Some(nmse) if nmse > 0.0 && non_finite == 0 => Some(nmse.sqrt()),
        _ => None,
    }
}

/// Whether the verdict is a failure.
fn is_bad(verdict: Verdict) -> bool {
    verdict == Verdict::Divergent
}
