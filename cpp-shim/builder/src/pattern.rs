//! Lists of files by pattern. In the last part of a path, and in any part before it, `*` stands for any characters.

use std::fs;
use std::path::Path;

use crate::error::BuildError;

/// Extensions of source files.
const SOURCES: [&str; 2] = [".c", ".cpp"];

/// The paths below `root` that match a pattern, relative to `root` and sorted. A pattern that matches nothing gives an
/// empty list. A path may start with `..`.
pub(crate) fn matching(root: &Path, pattern: &str) -> Result<Vec<String>, BuildError> {
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for prefix in found {
            let joined = |name: &str| match prefix.as_str() {
                "" => name.to_owned(),
                prefix => format!("{prefix}/{name}"),
            };
            if !part.contains('*') {
                let path = joined(part);
                if root.join(&path).exists() {
                    next.push(path);
                }
                continue;
            }
            let folder = root.join(&prefix);
            if !folder.is_dir() {
                continue;
            }
            let entries = fs::read_dir(&folder).map_err(BuildError::io("read", &folder))?;
            for entry in entries {
                let name = entry.map_err(BuildError::io("read", &folder))?.file_name();
                if let Some(name) = name.to_str().filter(|name| matches(part, name)) {
                    next.push(joined(name));
                }
            }
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

/// The source files that match any of the patterns, in the order of the patterns, without duplicates.
pub(crate) fn sources(root: &Path, patterns: &[String]) -> Result<Vec<String>, BuildError> {
    let mut files = Vec::new();
    for pattern in patterns {
        for file in matching(root, pattern)? {
            if SOURCES.iter().any(|end| file.ends_with(end)) && !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

/// Whether a text matches a pattern in which `*` stands for any characters.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a.c", true),
            ("ggml-*", "ggml-cuda.c", true),
            ("ggml-*", "ggml.c", false),
            ("*cpu-feats*", "x86/cpu-feats.cpp", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("a", "a.c", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn folders_and_files_are_found() {
        let root = tempfile::tempdir().unwrap();
        for file in ["s/a.c", "s/b.cpp", "s/b.h", "s/t/c.cpp", "s/u/d.c"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            sources(root.path(), &patterns).unwrap()
        };
        assert_eq!(found(&["s/*"]), ["s/a.c", "s/b.cpp"]);
        assert_eq!(found(&["s/b.cpp", "s/*"]), ["s/b.cpp", "s/a.c"]);
        assert_eq!(found(&["s/*/*"]), ["s/t/c.cpp", "s/u/d.c"]);
        assert_eq!(found(&["s/t/../a.c"]), ["s/t/../a.c"]);
        assert_eq!(found(&["none/*", "none.c"]), [""; 0]);
    }
}
