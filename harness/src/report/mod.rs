//! Reports of receipts.
//!
//! A [`Collection`] reads and verifies receipts. `view` creates a [`Page`](page::Page) from it: the contents, with
//! drawings of `plot`. [`html`] and [`markdown`] render the page.

mod collection;
mod error;
mod history;
pub mod html;
pub mod markdown;
pub mod page;
mod plot;
mod view;

pub use collection::Collection;
pub use error::ReportError;
pub use plot::{LayoutMap, draw_maps};
pub use view::page_of;
