//! The part of an implementation that has a fault. Kernels have separate code paths for dots and products, and for
//! vectors and batches.

use super::work::Work;
use crate::case::{DOTS, PRODUCTS};
use crate::cause::Extent;

/// A range of operations and batch sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    operation: Option<&'static str>,
    least_batch: Option<usize>,
    most_batch: Option<usize>,
}

impl Scope {
    /// All scopes that the results can distinguish, the widest first.
    pub(super) fn all(works: &[Work]) -> Vec<Scope> {
        let mut batches: Vec<usize> = works.iter().map(|work| work.case.batch).collect();
        batches.sort_unstable();
        batches.dedup();
        let least = batches.iter().skip(1).map(|&batch| (Some(batch), None));
        let most = batches
            .iter()
            .rev()
            .skip(1)
            .map(|&batch| (None, Some(batch)));
        let ranges = std::iter::once((None, None)).chain(least).chain(most);
        let scopes = ranges.flat_map(|(least_batch, most_batch)| {
            [None, Some(PRODUCTS), Some(DOTS)].map(|operation| Scope {
                operation,
                least_batch,
                most_batch,
            })
        });
        scopes.collect()
    }

    /// Whether the scope contains a case.
    pub(super) fn covers(self, work: &Work) -> bool {
        let batch = work.case.batch;
        let operation = work.case.input.operation();
        self.operation.is_none_or(|only| only == operation)
            && self.least_batch.is_none_or(|least| batch >= least)
            && self.most_batch.is_none_or(|most| batch <= most)
    }

    /// The scope as part of a cause. None if it contains everything.
    pub(super) fn extent(self) -> Option<Extent> {
        let extent = Extent {
            operation: self.operation.map(String::from),
            least_batch: self.least_batch,
            most_batch: self.most_batch,
        };
        let everywhere = Extent {
            operation: None,
            least_batch: None,
            most_batch: None,
        };
        (extent != everywhere).then_some(extent)
    }
}
