//! Formats numbers and commands for the command line and reports.

use crate::bench::statistics::Median;
use crate::rerun::Rerun;

/// The command line of a reproduction.
pub(crate) fn command(rerun: &Rerun) -> String {
    match rerun {
        Rerun::Check {
            model,
            level,
            seed,
            decoding,
        } => {
            let mut words = vec!["harness check".to_owned()];
            words.extend((!model.is_empty()).then(|| model.clone()));
            words.push(format!("--level {level}"));
            words.extend(seed.map(|seed| format!("--seed {seed}")));
            if let Some(decoding) = decoding {
                let tokens: Vec<String> = decoding.tokens.iter().map(u32::to_string).collect();
                let (tokens, threads) = (tokens.join(","), decoding.threads);
                words.push(format!("--tokens {tokens} --threads {threads}"));
            }
            words.join(" ")
        }
        Rerun::Replay { file } => format!("harness replay {file}"),
        Rerun::Program { arguments } => arguments.join(" "),
    }
}

/// An integer with its thousands separated.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// A measure with six decimal places, or in scientific notation outside of 0.001 to 1000. Only exact values of 0 and 1
/// are formatted as `0` and `1`.
pub(crate) fn measure(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        1.0 => "1".into(),
        _ if (0.001..1000.0).contains(&value.abs()) => format!("{value:.6}"),
        _ => format!("{value:.2e}"),
    }
}

/// A ratio with its confidence interval.
pub(crate) fn ratio(median: &Median) -> String {
    let Median {
        value, low, high, ..
    } = median;
    format!("{value:.2}x [{low:.2}, {high:.2}]")
}

/// A fraction in whole percent.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.0} %", 100.0 * fraction)
}

/// A duration with three significant digits.
pub(crate) fn seconds(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value < 1e-6 => (value * 1e9, "ns"),
        _ if value < 1e-3 => (value * 1e6, "µs"),
        _ if value < 1.0 => (value * 1e3, "ms"),
        _ => (value, "s"),
    };
    let digits = match scaled {
        _ if scaled < 9.995 => 2,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {unit}")
}

/// The formatted value, or a dash if there is none.
pub(crate) fn or_dash<T>(value: Option<T>, words: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".into(), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let times = [2.5e-7, 4.2e-5, 1.234e-4, 0.00999, 0.0999, 1.5].map(seconds);
        assert_eq!(
            times,
            [
                "250 ns", "42.0 µs", "123 µs", "9.99 ms", "99.9 ms", "1.50 s"
            ]
        );
    }
}
