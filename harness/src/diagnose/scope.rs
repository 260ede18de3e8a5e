//! The part of a side that has a fault: kernels have paths of their own for dots and products, for vectors and batches.

use super::work::Work;
use crate::case::{DOTS, PRODUCTS};
use crate::cause::Extent;

/// Operations and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    operation: Option<&'static str>,
    least_batch: Option<usize>,
    most_batch: Option<usize>,
}

impl Scope {
    /// Every scope that answers tell apart, the widest first.
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

    /// Whether a case is in it.
    pub(super) fn covers(self, work: &Work) -> bool {
        let batch = work.case.batch;
        let operation = work.case.input.operation();
        self.operation.is_none_or(|only| only == operation)
            && self.least_batch.is_none_or(|least| batch >= least)
            && self.most_batch.is_none_or(|most| batch <= most)
    }

    /// As a cause shows it; none if it is everywhere.
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
