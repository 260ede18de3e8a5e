//! Reports, made from receipts alone.
//!
//! Data goes one way: a [`Collection`] of verified receipts, `view` makes a [`Page`](page::Page) of it (what is said,
//! with drawings of `plot`), and [`html`] and [`markdown`] write it down (how it looks).

mod collection;
mod error;
mod history;
pub mod html;
pub mod markdown;
pub mod page;
mod plot;
mod view;

pub use collection::{Collection, FINDINGS};
pub use error::ReportError;
pub use plot::{LayoutMap, draw_maps};
pub use view::page_of;
