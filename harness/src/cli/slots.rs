//! Prints the slots of a block's weights as runs of consecutive ones.

use std::io::{self, Write};

use qk256::format::{Digit, Slot};

use super::style;
use crate::probe::{Lut, SlotReading};

/// Consecutive weights in consecutive bytes.
struct Run {
    /// The first weight.
    weight: usize,
    weights: usize,
    slot: SlotReading,
}

/// Prints the slots of all implementations. Implementations with the same slots share a table.
pub(super) fn print(
    format: &str,
    participants: &[(&str, &Lut)],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut distinct: Vec<(Vec<&str>, &Lut)> = Vec::new();
    for &(implementation, lut) in participants {
        match distinct
            .iter_mut()
            .find(|(_, other)| other.slots == lut.slots)
        {
            Some((participants, _)) => participants.push(implementation),
            None => distinct.push((vec![implementation], lut)),
        }
    }
    for (participants, lut) in distinct {
        writeln!(out, "slots of {format}: {}", participants.join("; "))?;
        let mut table = style::table(&["weights", "bytes", "digit"], 0..2);
        for run in runs(&lut.slots) {
            let (bytes, digit) = match run.slot {
                SlotReading::At(Slot { byte, digit }) => (range(byte, run.weights), name(digit)),
                other => ("-".into(), other.to_string()),
            };
            table.add_row([range(run.weight, run.weights), bytes, digit]);
        }
        writeln!(out, "{table}\n")?;
    }
    Ok(())
}

fn runs(slots: &[SlotReading]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (weight, &slot) in slots.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if continues(run, slot) => run.weights += 1,
            _ => runs.push(Run {
                weight,
                weights: 1,
                slot,
            }),
        }
    }
    runs
}

/// Whether a slot continues the run.
fn continues(run: &Run, slot: SlotReading) -> bool {
    match (run.slot, slot) {
        (SlotReading::At(first), SlotReading::At(next)) => {
            next.digit == first.digit && next.byte == first.byte + run.weights
        }
        (SlotReading::Nowhere, SlotReading::Nowhere)
        | (SlotReading::Several, SlotReading::Several) => true,
        _ => false,
    }
}

/// A range such as `0..31`, which includes both ends.
fn range(first: usize, length: usize) -> String {
    match length {
        1 => first.to_string(),
        _ => format!("{first}..{}", first + length - 1),
    }
}

fn name(digit: Digit) -> String {
    match digit {
        Digit::Bits { shift } => format!("shift {shift}"),
        Digit::Trit { power } => format!("base-3 digit {power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(slots: Vec<SlotReading>) -> String {
        let lut = Lut {
            slots,
            codebook: Vec::new(),
            scale: crate::probe::ScaleSite::None {},
        };
        let mut out = Vec::new();
        print("f", &[("a", &lut), ("b", &lut)], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn consecutive_slots_form_runs_and_equal_tables_are_joined() {
        let at = |byte, shift| {
            let digit = Digit::Bits { shift };
            SlotReading::At(Slot { byte, digit })
        };
        let text = printed(vec![
            at(0, 6),
            at(1, 6),
            at(0, 4),
            SlotReading::Nowhere,
            SlotReading::Nowhere,
            at(3, 4),
        ]);
        assert_eq!(text.matches("slots of f: a; b").count(), 1, "{text}");
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(3)
            .map(|line| line.split_whitespace().collect())
            .filter(|row: &Vec<&str>| !row.is_empty())
            .collect();
        let wanted: [&[&str]; 4] = [
            &["0..1", "0..1", "shift", "6"],
            &["2", "0", "shift", "4"],
            &["3..4", "-", "in", "no", "byte"],
            &["5", "3", "shift", "4"],
        ];
        assert_eq!(rows, wanted, "{text}");
    }
}
