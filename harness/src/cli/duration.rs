//! Parses durations on the command line.

use std::time::Duration;

/// Parses a positive duration: a number of seconds, or numbers with units such as `90s`, `10m` and `1h 30m`.
///
/// # Errors
///
/// A message with the reason and an example of a duration.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    const FORM: &str = "a time is a number of seconds, or has units: 5, 90s, 10m, 1h30m";
    let time = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string()),
    };
    match time {
        Ok(Duration::ZERO) => Err("the time must be more than zero".into()),
        // Limited, because the clock cannot add larger durations to the present time.
        Ok(time) => Ok(time.min(Duration::from_secs(u32::MAX.into()))),
        Err(error) => Err(format!("{error}; {FORM}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_need_no_unit_and_zero_is_refused() {
        let seconds = |text| parse(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("5"), Ok(5.0));
        assert_eq!(seconds("5s"), Ok(5.0));
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert_eq!(seconds("10m"), Ok(600.0));
        assert_eq!(seconds("1h30m"), Ok(5400.0));
        for wrong in [
            "0",
            "0s",
            "0.0",
            "-5",
            "",
            "soon",
            "5 parsecs",
            "NaN",
            "inf",
            "1e99",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        let words = parse("soon").unwrap_err();
        assert!(words.contains("90s"), "{words}");
        // The longest duration can still be added to the present time.
        let longest = parse("99999999999y").unwrap_or(Duration::from_secs(1));
        assert!(std::time::Instant::now().checked_add(longest).is_some());
    }
}
