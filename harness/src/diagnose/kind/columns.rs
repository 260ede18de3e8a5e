//! Dropped columns at the end of a row, found by the columns that respond to an activation of 1.

use qk256::format::StorageVariant;

use super::super::hypothesis::Hypothesis;
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::Fault;

/// Row lengths to try, multiples of a block and others.
const LENGTHS: [usize; 8] = [256, 384, 512, 640, 700, 768, 1000, 1024];

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let mut counted = Vec::new();
    for variant in [subject.format.native_variant(), StorageVariant::PaddedRows] {
        for cols in LENGTHS {
            match columns(subject, variant, cols) {
                Some(columns) => counted.push((cols, columns)),
                None if subject.serves(variant, subject.panel(), cols) => return Vec::new(),
                None => {}
            }
        }
    }
    let shown = counted.iter().find(|(cols, counted)| counted < cols);
    let Some(&(cols, from)) = shown else {
        return Vec::new();
    };
    // Runs from small to large. The smallest run that explains all lengths needs the fewest columns.
    let runs = (2..12).map(|power| 1usize << power);
    let rules = runs.flat_map(|run| [(run, false), (run, true)]);
    let holds = |&(run, last_run): &(usize, bool)| {
        counted
            .iter()
            .all(|&(cols, columns)| kept(cols, run, last_run) == columns)
    };
    rules
        .filter(holds)
        .take(1)
        .map(|(run, last_run)| {
            let fault = Fault::ColumnsDropped {
                run,
                last_run,
                cols,
                from,
            };
            // The activation sum is computed separately and may have the fault or not.
            let ways = [true, false].map(|sums_whole_rows| Steps {
                columns: Box::new(move |cols| kept(cols, run, last_run)),
                sums_whole_rows,
                ..Steps::right(subject.format)
            });
            Hypothesis::by_any_steps(fault, ways.into())
        })
        .collect()
}

/// Number of multiplied columns if the last run is dropped: always if `last_run`, otherwise only if it is incomplete.
fn kept(cols: usize, run: usize, last_run: bool) -> usize {
    (if last_run { cols - 1 } else { cols }) / run * run
}

/// Number of columns that respond, if they are the first ones of the row.
fn columns(subject: &Subject<'_>, variant: StorageVariant, cols: usize) -> Option<usize> {
    let rows = subject.panel();
    if !subject.serves(variant, rows, cols) {
        return None;
    }
    // One activation row for each column, with a 1 in that column. A column is multiplied if the result is the value of
    // its code.
    let one_hot: Vec<i8> = (0..cols * cols)
        .map(|i| i8::from(i / cols == i % cols))
        .collect();
    let of_code = |code| {
        let input = Input::Codes(one_hot.clone());
        subject.answer(subject.case_in(variant, rows, cols, vec![code; rows * cols], input))
    };
    let (low, high) = (of_code(0)?, of_code(2)?);
    let counts = |col: usize| low.actual(col, 0) != high.actual(col, 0);
    let columns = (0..cols).take_while(|&col| counts(col)).count();
    (columns..cols).all(|col| !counts(col)).then_some(columns)
}
