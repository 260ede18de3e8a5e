use tempfile::tempdir;

use super::*;

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn only_files_that_no_target_needs_are_removed() {
    let folder = tempdir().unwrap();
    let write = |name: &str| fs::write(folder.path().join(name), name).unwrap();
    ["a.o", "b.o", "c.so", "lock", "exports.map", "d.o.partial"]
        .into_iter()
        .for_each(write);

    prune(folder.path(), "x", &set(["a.o", "c.so"])).unwrap();
    let kept = set(["a.o", "c.so", "exports.map", "lock", "x.needed"]);
    assert_eq!(names(folder.path()), kept);

    // Another target has its own list. What the first one needs stays.
    write("e.o");
    prune(folder.path(), "y", &set(["e.o"])).unwrap();
    let kept = set([
        "a.o",
        "c.so",
        "e.o",
        "exports.map",
        "lock",
        "x.needed",
        "y.needed",
    ]);
    assert_eq!(names(folder.path()), kept);

    // A new list replaces that of the same target.
    prune(folder.path(), "x", &set(["c.so"])).unwrap();
    assert!(!names(folder.path()).contains("a.o"));
    assert!(names(folder.path()).contains("e.o"));
}
