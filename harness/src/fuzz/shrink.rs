//! Shrinks a failing case while it still fails.

use super::draft::step;
use super::trial::Difference;
use crate::case::{Case, Input};

/// The smallest case found in which `differ` still finds a difference, with that difference. For a race it is the last
/// difference seen. None if `case` shows no difference.
pub fn smallest(
    case: Case,
    differ: impl Fn(&Case) -> Option<Difference>,
) -> Option<(Case, Difference)> {
    let mut seen = differ(&case)?;
    let smallest = shrink(case, |case| match differ(case) {
        Some(difference) => {
            seen = difference;
            true
        }
        None => false,
    });
    Some((smallest, seen))
}

/// Maximal number of smaller cases tried.
const MOST_TRIALS: usize = 4000;

/// The smallest case found for which `fails` still holds: fewer rows, columns and activation rows, one thread, aligned
/// buffers, codes and activations of zero, scales of one. `case` itself is assumed to fail.
pub fn shrink(case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    let mut smallest = case;
    let mut trials = 0;
    loop {
        let mut progress = false;
        // Each reduction is repeated while it helps. Coarse ones come first.
        for reduce in REDUCTIONS {
            let mut attempt = 0;
            while let Some(smaller) = reduce(&smallest, attempt) {
                if smaller.storage().is_err() {
                    attempt += 1;
                    continue;
                }
                trials += 1;
                if trials > MOST_TRIALS {
                    return smallest;
                }
                if fails(&smaller) {
                    smallest = smaller;
                    progress = true;
                } else {
                    attempt += 1;
                }
            }
        }
        if !progress {
            return smallest;
        }
    }
}

/// Makes the `n`th reduced case, or none if there are no more. A reduction that was applied must not be offered again.
type Reduction = fn(&Case, usize) -> Option<Case>;

const REDUCTIONS: [Reduction; 7] = [
    fewer_activation_rows,
    fewer_rows,
    fewer_columns,
    plainer_run,
    plainer_scales,
    zero_codes,
    zero_activations,
];

/// The range of the `n`th part to remove from `len` items: the halves, then the quarters, and so on.
fn part(len: usize, smallest: usize, mut n: usize) -> Option<std::ops::Range<usize>> {
    let mut size = len / 2;
    while size >= smallest.max(1) {
        let parts = len.div_ceil(size);
        if n < parts {
            return Some(n * size..((n + 1) * size).min(len));
        }
        n -= parts;
        size /= 2;
    }
    None
}

fn fewer_activation_rows(case: &Case, n: usize) -> Option<Case> {
    let removed = part(case.batch, 1, n)?;
    let mut smaller = case.clone();
    smaller.batch -= removed.len();
    let removed = removed.start * case.cols..removed.end * case.cols;
    match &mut smaller.input {
        Input::Codes(codes) => drop(codes.drain(removed)),
        Input::Values(values) => drop(values.drain(removed)),
    }
    Some(smaller)
}

fn fewer_rows(case: &Case, n: usize) -> Option<Case> {
    let panel = case.format.layout.panel_rows();
    let removed = part(case.rows / panel, 1, n)?;
    let removed = removed.start * panel..removed.end * panel;
    let kept: Vec<usize> = (0..case.rows)
        .filter(|row| !removed.contains(row))
        .collect();
    let cols: Vec<usize> = (0..case.cols).collect();
    Some(excerpt(case, &kept, &cols))
}

fn fewer_columns(case: &Case, n: usize) -> Option<Case> {
    let step = step(case.format, case.variant, case.rows);
    let removed = part(case.cols, step, n)?;
    let removed = removed.start / step * step..removed.end.div_ceil(step) * step;
    let kept: Vec<usize> = (0..case.cols)
        .filter(|col| !removed.contains(col))
        .collect();
    if kept.is_empty() || kept.len() == case.cols {
        // An empty case cannot fail, so the next reduction is tried.
        return Some(Case {
            batch: 0,
            ..case.clone()
        });
    }
    let rows: Vec<usize> = (0..case.rows).collect();
    Some(excerpt(case, &rows, &kept))
}

/// The case restricted to some rows and columns. It keeps the first scales.
fn excerpt(case: &Case, rows: &[usize], cols: &[usize]) -> Case {
    let code = |&row: &usize| {
        cols.iter()
            .map(move |col| case.codes[row * case.cols + col])
    };
    let mut smaller = case.clone();
    smaller.codes = rows.iter().flat_map(code).collect();
    (smaller.rows, smaller.cols) = (rows.len(), cols.len());
    let of_batch = |b: usize| cols.iter().map(move |col| b * case.cols + col);
    let kept = (0..case.batch).flat_map(of_batch);
    smaller.input = match &case.input {
        Input::Codes(codes) => Input::Codes(kept.map(|i| codes[i]).collect()),
        Input::Values(values) => Input::Values(kept.map(|i| values[i]).collect()),
    };
    if let Ok(storage) = smaller.storage() {
        smaller.scales.resize(storage.scale_count(), 1.0);
    }
    smaller
}

fn plainer_run(case: &Case, n: usize) -> Option<Case> {
    let mut smaller = case.clone();
    match n {
        0 => smaller.threads = 1,
        1 => smaller.shift[0] = 0,
        2 => smaller.shift[1] = 0,
        _ => return None,
    }
    // An unchanged case must not count as a reduction. A batch of 0 makes it invalid, so it is skipped.
    if smaller == *case {
        smaller.batch = 0;
    }
    Some(smaller)
}

fn plainer_scales(case: &Case, n: usize) -> Option<Case> {
    if n > 0 || case.scales.iter().all(|&scale| scale == 1.0) {
        return None;
    }
    let mut smaller = case.clone();
    smaller.scales.fill(1.0);
    Some(smaller)
}

/// Zeroes the `n`th part of `values` and returns whether that changed anything. None if there are no more parts.
fn zeroed<T: Copy + PartialEq>(values: &mut [T], zero: T, n: usize) -> Option<bool> {
    let part = part(2 * values.len(), values.len() / 512, n)?;
    let end = part.end.min(values.len());
    let part = &mut values[part.start.min(end)..end];
    let changes = part.iter().any(|&value| value != zero);
    part.fill(zero);
    Some(changes)
}

fn zero_codes(case: &Case, n: usize) -> Option<Case> {
    let mut smaller = case.clone();
    if !zeroed(&mut smaller.codes, 0, n)? {
        smaller.batch = 0;
    }
    Some(smaller)
}

fn zero_activations(case: &Case, n: usize) -> Option<Case> {
    let mut smaller = case.clone();
    let changes = match &mut smaller.input {
        Input::Codes(codes) => zeroed(codes, 0, n)?,
        Input::Values(values) => zeroed(values, 0.0, n)?,
    };
    if !changes {
        smaller.batch = 0;
    }
    Some(smaller)
}

#[cfg(test)]
mod tests {
    use super::super::draft::all_formats;
    use super::super::{Draft, Input};
    use super::*;

    #[test]
    fn only_the_failing_element_is_left() {
        let formats = all_formats();
        let mut tried = 0;
        for index in 0..300 {
            let case = Draft::of(9, index).case(&formats).unwrap();
            // Fails if a row has a code 2 in a column in which an activation is negative.
            let fails = |case: &Case| {
                let negative = |i: usize| match &case.input {
                    Input::Codes(codes) => codes[i] < 0,
                    Input::Values(values) => values[i] < 0.0,
                };
                (0..case.codes.len()).any(|i| {
                    let col = i % case.cols;
                    case.codes[i] == 2 && (0..case.batch).any(|b| negative(b * case.cols + col))
                })
            };
            if !fails(&case) {
                continue;
            }
            tried += 1;
            let small = shrink(case, fails);
            let step = step(small.format, small.variant, small.rows);
            assert_eq!(small.batch, 1, "{index}");
            assert_eq!(small.rows, small.format.layout.panel_rows(), "{index}");
            assert!(small.cols <= 2 * step, "{index}: {} columns", small.cols);
            assert_eq!((small.threads, small.shift), (1, [0, 0]), "{index}");
            assert_eq!(
                small.codes.iter().filter(|&&code| code != 0).count(),
                1,
                "{index}"
            );
        }
        assert!(tried > 100, "{tried}");
    }
}
