//! What of a program's output is the same on every machine with the first oracle.

/// The line without widths of columns, without what the second oracle says, which is compiled for the machine at hand,
/// and without what this CPU has.
pub(crate) fn normalised(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    for own in ["bitnet.cpp/native", "floor:"] {
        if let Some(end) = words.iter().position(|&word| word == own) {
            words.truncate(end + 1);
        }
    }
    let mut line = words.join(" ");
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
fn figures_of_this_machine_do_not_count() {
    let same = |a, b| assert_eq!(normalised(a), normalised(b));
    same(
        "tensor  x  bitnet.cpp/native  exact 3",
        "tensor x bitnet.cpp/native within_noise_floor 7",
    );
    same(
        "k.avx2  k  avx2   yes, chosen",
        "k.avx2 k avx2 skipped: no avx2",
    );
    same("─────", "─");
    assert_ne!(normalised("lut exact 1"), normalised("lut exact 2"));
}
