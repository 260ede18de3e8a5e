//! Plots as SVG documents in the colours of a light page. [`on_page`] adapts them to the colours of a report.

mod canvas;
mod colour;
mod histogram;
mod layers;
mod layout_map;
mod logarithmic;
mod rows;
mod trend;

pub(super) use colour::on_page;
pub(super) use histogram::draw_histograms;
pub(super) use layers::{Curve, draw_layers};
pub use layout_map::{LayoutMap, draw_maps};
pub(super) use rows::{Axis, Measured, PlotRow, draw_rows};
pub(super) use trend::{Heights, Moment, Series, draw_trend};
