//! Parses numbers of threads on the command line.

use std::num::NonZeroUsize;

use qk256::threads;

/// Parses a number of threads from 1 to [`threads::limit`].
///
/// # Errors
///
/// A message with the reason.
pub(super) fn parse(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse();
    checked(number.map_err(|_| "a number of threads is a whole number, 1 or more".to_owned())?)
}

/// Checks that the number is from 1 to [`threads::limit`].
///
/// # Errors
///
/// A message with the reason.
pub(super) fn checked(number: usize) -> Result<NonZeroUsize, String> {
    let most = threads::limit();
    if number > most {
        let each = threads::MOST_PER_CORE;
        return Err(format!(
            "at most {most} on this machine, {each} for each core; give fewer"
        ));
    }
    NonZeroUsize::new(number).ok_or_else(|| "no work is done on 0 threads; give 1 or more".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_numbers_of_threads_are_refused_with_a_clear_message() {
        assert_eq!(parse("2").map(NonZeroUsize::get), Ok(2));
        for wrong in ["0", "-1", "", "two", "1.5", "99999999999999999999999"] {
            let words = parse(wrong).unwrap_err();
            assert!(words.contains("1 or more"), "{wrong}: {words}");
        }
        assert!(parse(&threads::limit().to_string()).is_ok());
        for wrong in [threads::limit() + 1, 100_000_000] {
            let words = parse(&wrong.to_string()).unwrap_err();
            assert!(words.contains("64 for each core"), "{wrong}: {words}");
        }
    }
}
