//! The commit that this program was built from. Without a commit, no receipt is written.

/// The commit that the build script found: the output of `git rev-parse HEAD`, followed by [`DIRTY`] if the compiled
/// sources differ from the commit. Outside of a repository, the value of the environment variable `HARNESS_COMMIT`.
const BUILT_FROM: &str = env!("HARNESS_COMMIT");

/// Suffix of a commit if the sources differ from it.
pub const DIRTY: &str = "-dirty";

/// The commit of this program, if it is known.
pub fn built_from() -> Option<&'static str> {
    is_commit(BUILT_FROM).then_some(BUILT_FROM)
}

/// Whether the text is the full hash of a commit in lower case, with or without [`DIRTY`].
pub fn is_commit(text: &str) -> bool {
    let hash = text.strip_suffix(DIRTY).unwrap_or(text);
    is_hex(hash, 40) || is_hex(hash, 64)
}

/// Whether the text is a SHA-256 in lower-case hexadecimal.
pub fn is_sha256(text: &str) -> bool {
    is_hex(text, 64)
}

/// Whether the text consists of exactly `digits` hexadecimal digits in lower case.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_full_hashes() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert!(is_commit(hash) && is_commit(&format!("{hash}-dirty")));
        for wrong in [
            "",
            "unknown",
            "0123abc",
            "-dirty",
            &hash.to_uppercase(),
            &hash[1..],
        ] {
            assert!(!is_commit(wrong), "{wrong}");
        }
    }
}
