//! Normalizes outputs to the part that is the same on every machine with the oracles.

use testing::test;

/// The line without column widths and without the features of this CPU.
pub(crate) fn normalised(line: &str) -> String {
    let mut line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(start) = [" yes", " skipped: no "]
        .iter()
        .find_map(|has| line.find(has))
    {
        line.truncate(start);
    }
    while line.contains("──") {
        line = line.replace("──", "─");
    }
    line
}

#[test]
fn features_of_this_cpu_are_ignored() {
    let same = |a, b| assert_eq!(normalised(a), normalised(b));
    same(
        "k.avx2  k  avx2   yes, chosen",
        "k.avx2 k avx2 skipped: no avx2",
    );
    same("─────", "─");
    assert_ne!(normalised("lut exact 1"), normalised("lut exact 2"));
}
