//! Permuted results of a batch.

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::number::Number;
use super::super::subject::Subject;
use super::super::work::Work;
use crate::cause::Fault;

/// The activation row whose results are stored in place of a row, in a batch of a given size.
type Order = fn(usize, usize) -> usize;

/// The known permutations.
const ORDERS: [Order; 4] = [
    |batch, of| {
        if batch ^ 1 < of { batch ^ 1 } else { batch }
    },
    |batch, of| of - 1 - batch,
    |batch, of| (batch + 1) % of,
    |batch, of| (batch + of - 1) % of,
];

pub(super) fn hypotheses(_subject: &Subject<'_>, works: &[Work]) -> Vec<Hypothesis> {
    let mut shown: Vec<Vec<usize>> = works.iter().filter_map(order).collect();
    // The smallest batch that identifies one permutation. With two activation rows all are equal.
    shown.sort_by_key(|order| (fitting(order).count() != 1, order.len()));
    let Some(order) = shown.into_iter().next() else {
        return Vec::new();
    };
    let hypothesis = |known: Order| Hypothesis {
        fault: Fault::BatchPermuted {
            order: order.clone(),
        },
        predict: Box::new(move |work, batch, row| {
            let other = known(batch, work.case.batch);
            Guess::OneOf(vec![Number {
                value: work.truth(other, row),
                tolerance: work.tolerance(other, row),
            }])
        }),
    };
    fitting(&order).map(hypothesis).collect()
}

/// The known permutations that produce an order.
fn fitting(order: &[usize]) -> impl Iterator<Item = Order> {
    let fits =
        |known: &Order| (0..order.len()).all(|batch| known(batch, order.len()) == order[batch]);
    ORDERS.into_iter().filter(fits)
}

/// For each activation row, the row whose results are stored in its place. None if the order is right or if some
/// results are no row's.
fn order(work: &Work) -> Option<Vec<usize>> {
    let (rows, batch) = (work.case.rows, work.case.batch);
    let stands_for = |place: usize| {
        let same = |other: &usize| {
            (0..rows).all(|row| {
                let off = work.actual(place, row) - work.truth(*other, row);
                off.abs() <= work.tolerance(*other, row)
            })
        };
        std::iter::once(place).chain(0..batch).find(same)
    };
    let order: Vec<usize> = (0..batch).map(stands_for).collect::<Option<_>>()?;
    (!order
        .iter()
        .enumerate()
        .all(|(place, &other)| place == other))
    .then_some(order)
}
