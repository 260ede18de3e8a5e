//! Plots, as SVG documents in the colours of a light page; [`on_page`] makes them follow the page that they are put on.

mod canvas;
mod histogram;
mod ink;
mod layers;
mod layout_map;
mod logarithmic;
mod rows;
mod trend;

pub(super) use histogram::draw_histograms;
pub(super) use ink::on_page;
pub(super) use layers::{Curve, draw_layers};
pub use layout_map::{LayoutMap, draw_maps};
pub(super) use rows::{Axis, Measured, PlotRow, draw_rows};
pub(super) use trend::{Heights, Moment, Series, draw_trend};
