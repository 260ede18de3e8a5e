//! Pictures of what was found.

mod layout_map;

pub use layout_map::{LayoutMap, draw};
