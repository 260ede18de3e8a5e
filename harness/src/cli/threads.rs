//! Numbers of threads on the command line.

use std::num::NonZeroUsize;

/// A number of threads: 1 or more.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<NonZeroUsize, String> {
    let threads: usize = text
        .parse()
        .map_err(|_| "a number of threads is a whole number, 1 or more".to_owned())?;
    NonZeroUsize::new(threads).ok_or_else(|| "no work is done on 0 threads; give 1 or more".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_refused_in_plain_words() {
        assert_eq!(parse("2").map(NonZeroUsize::get), Ok(2));
        for wrong in ["0", "-1", "", "two", "1.5", "99999999999999999999999"] {
            let words = parse(wrong).unwrap_err();
            assert!(words.contains("1 or more"), "{wrong}: {words}");
        }
    }
}
