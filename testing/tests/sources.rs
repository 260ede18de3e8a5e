//! Checks of the tests of the workspace: tests that cannot run declare their needs, and every `#[test]` is registered.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PACKAGES: [&str; 4] = ["rust-kernel", "cpp-shim", "harness", "testing"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Numbers, from 1, of the lines in which a test returns. Returns of closures inside a test are not included.
fn returns_of_tests(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    // Indentation of the function or the closure that contains the line. It is reliable because of rustfmt.
    let (mut function, mut closure, mut attribute) = (None, None, false);
    for (index, line) in text.lines().enumerate() {
        let (code, depth) = (line.trim_start(), indentation(line));
        attribute |= code.starts_with("#[test");
        if attribute && code.starts_with("fn ") {
            (function, attribute) = (Some(depth), false);
            continue;
        }
        let closes = |of: Option<usize>| of == Some(depth) && code.starts_with('}');
        if closes(function) {
            (function, closure) = (None, None);
        } else if closes(closure) {
            closure = None;
        } else if function.is_some() && closure.is_none() {
            if code.ends_with("| {") {
                closure = Some(depth);
            } else if code
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "return")
            {
                found.push(index + 1);
            }
        }
    }
    found
}

/// A test that returns. The return in its closure must not be reported.
const PLANTED: &str = "#[test]
fn a() {
    let Some(b) = c() else {
        return;
    };
    d(|e| {
        return;
    });
}
";

#[test]
fn a_test_does_not_return_when_what_it_needs_is_missing() {
    assert_eq!(returns_of_tests(PLANTED), [4]);
    for package in PACKAGES {
        for file in ["src", "tests"]
            .map(|folder| sources(&root().join(package).join(folder)))
            .concat()
        {
            let text = fs::read_to_string(&file).unwrap();
            let lines = returns_of_tests(&text);
            let file = file.display();
            assert!(
                lines.is_empty(),
                "{file}, lines {lines:?}: `needs` of the crate `testing` skip a test"
            );
        }
    }
}

/// The test targets of a package with their names and files, including modules.
fn test_targets(package: &Path) -> Vec<(String, Vec<PathBuf>)> {
    let folder = package.join("tests");
    let mut targets = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_file() && name != "mod" {
            targets.push((name, vec![path]));
        } else if path.join("main.rs").exists() {
            targets.push((name, sources(&path)));
        }
    }
    targets
}

/// Without libtest, `#[test]` must be imported from the crate `testing`. Otherwise the function is ignored without a
/// warning.
#[test]
fn files_without_libtest_import_the_attribute() {
    for package in PACKAGES {
        let package = root().join(package);
        let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
        let without_libtest: BTreeSet<&str> = manifest
            .split("[[test]]")
            .skip(1)
            .filter(|section| section.contains("harness = false"))
            .filter_map(|section| section.split('"').nth(1))
            .collect();
        for (target, files) in test_targets(&package) {
            let texts: Vec<_> = files
                .iter()
                .map(|file| fs::read_to_string(file).unwrap())
                .collect();
            let has_main = texts
                .iter()
                .any(|text| text.contains("\n    testing::main()\n}"));
            let listed = without_libtest.contains(target.as_str());
            assert_eq!(has_main, listed, "{target} in {}", package.display());
            for (file, text) in files.iter().zip(&texts) {
                let imports = text.lines().map(str::trim).any(|line| {
                    line.starts_with("use testing::")
                        && ["test;", "test};"].iter().any(|end| line.ends_with(end))
                });
                let tests = text
                    .lines()
                    .any(|line| line.trim_start().starts_with("#[test"));
                assert!(!tests || imports == listed, "{}", file.display());
            }
        }
    }
}
