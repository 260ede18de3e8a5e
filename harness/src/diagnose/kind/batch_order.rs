//! Results of a batch that stand in each other's place.

use super::super::number::Number;
use super::super::subject::Subject;
use super::super::suspect::{Guess, Suspect};
use super::super::work::Work;
use crate::cause::Fault;

/// Which activation row's results stand in place of one, in a batch of so many.
type Order = fn(usize, usize) -> usize;

/// Ways in which batches come out of order.
const ORDERS: [Order; 4] = [
    |batch, of| {
        if batch ^ 1 < of { batch ^ 1 } else { batch }
    },
    |batch, of| of - 1 - batch,
    |batch, of| (batch + 1) % of,
    |batch, of| (batch + of - 1) % of,
];

pub(super) fn suspects(_subject: &Subject<'_>, works: &[Work]) -> Vec<Suspect> {
    let mut shown: Vec<Vec<usize>> = works.iter().filter_map(order).collect();
    // The smallest batch in which one way alone shows; in two activation rows all of them look alike.
    shown.sort_by_key(|order| (fitting(order).count() != 1, order.len()));
    let Some(order) = shown.into_iter().next() else {
        return Vec::new();
    };
    let suspect = |known: Order| Suspect {
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
    fitting(&order).map(suspect).collect()
}

/// The known ways in which an order comes about.
fn fitting(order: &[usize]) -> impl Iterator<Item = Order> {
    let fits =
        |known: &Order| (0..order.len()).all(|batch| known(batch, order.len()) == order[batch]);
    ORDERS.into_iter().filter(fits)
}

/// For each activation row the one whose results stand in its place; none if they are where they belong, or nowhere.
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
