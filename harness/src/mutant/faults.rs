//! The faults of the mutants, which the diagnosis must find.

use qk256::format::{Format, Layout, QK256};

use crate::cause::Fault;

/// Codes with these values. Base-3 digits store only the first three.
pub(super) fn codebook(format: &Format, values: [i64; 4]) -> Fault {
    let storable = if format.layout == Layout::Tq1_0 { 3 } else { 4 };
    let declared = format.codebook.values().map(i64::from);
    Fault::Codebook {
        values: values[..storable].into(),
        declared: declared[..storable].into(),
    }
}

/// Codes read in another layout, in which `displaced` slots of a block differ.
pub(super) fn layout(format: &Format, read: Layout, displaced: usize) -> Fault {
    Fault::Layout {
        read: read.name().into(),
        declared: format.layout.name().into(),
        displaced,
    }
}

/// The last block dropped, as shown by the shortest possible row. With `last_run`, also if it is whole.
pub(super) fn columns_dropped(last_run: bool, cols: usize, from: usize) -> Fault {
    Fault::ColumnsDropped {
        run: QK256,
        last_run,
        cols,
        from,
    }
}

/// An accumulator of sixteen int16 lanes, each of which adds pairs of columns: 2 * 127 * cols / 16 exceeds their range
/// beyond 2064 columns. The shortest longer row has whole groups of 128 or whole blocks, and each lane is off by 65536.
pub(super) fn int16_wraps(format: &Format) -> Fault {
    let whole = match format.layout {
        Layout::Tq2_0 | Layout::Tq1_0 => QK256,
        _ => 128,
    };
    Fault::AccumulatorWraps {
        bits: 16,
        cols: 2065usize.next_multiple_of(whole),
        difference: -16 * 65536,
    }
}
