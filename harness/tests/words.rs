//! Texts for users contain no retired words: the help of every command, the pages, and the schemas.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::Command;
use common::{harness, stdout};
use testing::test;

/// Retired words, each of which was replaced by a term of the glossary or by the usual word.
const RETIRED: [&str; 40] = [
    "arbiter",
    "arbiters",
    "asked for",
    "blame",
    "blamed",
    "cast",
    "climb",
    "climbed",
    "climbs",
    "crew",
    "exam",
    "exams",
    "flavour",
    "flavours",
    "flaw",
    "flaws",
    "kill matrix",
    "ladder",
    "ledger",
    "meter",
    "paper",
    "planted mistake",
    "planted mistakes",
    "quarters",
    "roster",
    "rung",
    "rungs",
    "seal",
    "sealed",
    "side",
    "sides",
    "sixteenths",
    "stories",
    "story",
    "suspect",
    "suspects",
    "tally",
    "tells",
    "told",
    "tonight",
];

/// The help of a command and of all its subcommands.
fn help(command: &mut Command, text: &mut String) {
    writeln!(text, "{}", command.render_long_help()).unwrap();
    for inner in command.get_subcommands_mut() {
        help(inner, text);
    }
}

/// Files that users read: Markdown in these folders, and the schemas.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = Vec::new();
    for folder in [".", "docs", "reports", "reports/schema"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_read = path.extension().is_some_and(|ext| ext == "md")
                || folder == "reports/schema" && path.is_file();
            if is_read {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                pages.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    pages
}

/// The retired words in a text, with their lines.
fn retired(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // Words consist of letters only, so that they are found between any other characters.
        let words: String = line
            .to_lowercase()
            .chars()
            .map(|c| if c.is_alphabetic() { c } else { ' ' })
            .collect();
        let words: Vec<&str> = words.split_whitespace().collect();
        let words = format!(" {} ", words.join(" ").replace("side by side", ""));
        for word in RETIRED {
            if words.contains(&format!(" {word} ")) {
                found.push(format!(
                    "{name}:{}: `{word}` in: {}",
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

#[test]
fn users_read_no_retired_word() {
    let mut text = String::new();
    help(&mut harness::cli::command(), &mut text);
    let mut found = retired("--help", &text);
    found.extend(retired(
        "harness mutants --descriptions",
        &stdout(&harness(&["mutants", "--descriptions"])),
    ));
    let pages = pages();
    assert!(pages.len() > 12, "{}", pages.len());
    for (name, text) in &pages {
        found.extend(retired(name, text));
    }
    assert!(found.is_empty(), "{}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_retired_word_is_found() {
    let found = retired(
        "page",
        "fine\nthe Rung, and what\n`asked  for` it; inside, side by side",
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("page:2: `rung`") && found[1].starts_with("page:3: `asked for`"));
}

/// The names of all files below a folder, and the text of the sources, apart from what is built.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        text.push_str(&name);
        text.push('\n');
        if path.is_dir() {
            if name != "target" && name != ".git" {
                sources(&path, text);
            }
        } else if ["rs", "toml", "sh", "hpp", "cpp", "h", "yml"]
            .iter()
            .any(|ending| path.extension().is_some_and(|of_path| of_path == *ending))
        {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// The recipes name files, functions and tests. Each of them exists.
#[test]
fn the_recipes_name_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let mut text = String::new();
    sources(&root, &mut text);
    let folders = [
        "",
        "rust-kernel/src",
        "harness/src",
        "harness/src/diagnose",
        "harness/tests",
    ];
    let (mut paths, mut names) = (0, 0);
    let lines = page.lines().filter(|line| !line.starts_with("```"));
    for code in lines.flat_map(|line| line.split('`').skip(1).step_by(2)) {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
        // Placeholders are in capitals.
        if !code.chars().all(is_word) || code.chars().any(|c| c.is_ascii_uppercase()) {
            continue;
        }
        if code.contains('/') && code.contains('.') {
            let exists = folders
                .iter()
                .any(|folder| root.join(folder).join(code).exists());
            assert!(
                exists || code.starts_with("target/") || code.starts_with("../"),
                "{code}"
            );
            paths += 1;
        } else if code.contains('_') && !code.contains('/') {
            assert!(text.contains(code), "{code}");
            names += 1;
        }
    }
    assert!(paths > 20 && names > 10, "{paths} paths, {names} names");
}

fn main() -> std::process::ExitCode {
    testing::main()
}
