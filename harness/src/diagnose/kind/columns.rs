//! Columns at the end of a row that are left out, found by which columns answer to an activation of 1.

use qk256::format::Flavour;

use super::super::steps::Steps;
use super::super::subject::Subject;
use super::super::suspect::Suspect;
use crate::case::Input;
use crate::cause::Fault;

/// Row lengths, whole blocks and others.
const LENGTHS: [usize; 8] = [256, 384, 512, 640, 700, 768, 1000, 1024];

pub(super) fn suspects(subject: &Subject<'_>) -> Vec<Suspect> {
    let mut counted = Vec::new();
    for flavour in [subject.format.native_flavour(), Flavour::PaddedRows] {
        for cols in LENGTHS {
            match columns(subject, flavour, cols) {
                Some(columns) => counted.push((cols, columns)),
                None if subject.serves(flavour, subject.panel(), cols) => return Vec::new(),
                None => {}
            }
        }
    }
    let shown = counted.iter().find(|(cols, counted)| counted < cols);
    let Some(&(cols, from)) = shown else {
        return Vec::new();
    };
    // From small runs to large: the smallest that explains all lengths is the one that needs the fewest columns.
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
            // The sum of the activations is another step, which may have the same fault or not.
            let ways = [true, false].map(|sums_whole_rows| Steps {
                columns: Box::new(move |cols| kept(cols, run, last_run)),
                sums_whole_rows,
                ..Steps::right(subject.format)
            });
            Suspect::by_any_steps(fault, ways.into())
        })
        .collect()
}

/// The columns that are multiplied if the last run is dropped: always, or only if it is not whole.
fn kept(cols: usize, run: usize, last_run: bool) -> usize {
    (if last_run { cols - 1 } else { cols }) / run * run
}

/// How many columns of a row count, if they are the first ones.
fn columns(subject: &Subject<'_>, flavour: Flavour, cols: usize) -> Option<usize> {
    let rows = subject.panel();
    if !subject.serves(flavour, rows, cols) {
        return None;
    }
    // One activation of 1 in each activation row, at as many columns as there are. A column counts if its code does.
    let one_hot: Vec<i8> = (0..cols * cols)
        .map(|i| i8::from(i / cols == i % cols))
        .collect();
    let of_code = |code| {
        let input = Input::Codes(one_hot.clone());
        subject.answer(subject.case_in(flavour, rows, cols, vec![code; rows * cols], input))
    };
    let (low, high) = (of_code(0)?, of_code(2)?);
    let counts = |col: usize| low.actual(col, 0) != high.actual(col, 0);
    let columns = (0..cols).take_while(|&col| counts(col)).count();
    (columns..cols).all(|col| !counts(col)).then_some(columns)
}
