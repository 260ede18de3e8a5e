//! Headers that upstream's cmake generates from templates, such as `ggml/src/ggml-version.h.in`.

use std::fs;
use std::path::Path;

use crate::error::BuildError;
use crate::pattern::matching;

/// Extension of the templates.
const TEMPLATE: &str = ".in";

/// A generated header.
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The headers of the templates that match `patterns` below `root`, see [`substituted`].
pub(crate) fn generate(
    root: &Path,
    patterns: &[String],
    values: &[(&str, &str)],
) -> Result<Vec<Header>, BuildError> {
    let mut headers = Vec::new();
    for pattern in patterns {
        for file in matching(root, pattern)? {
            let path = root.join(&file);
            let template = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
            let name = file.rsplit('/').next().unwrap_or_default();
            headers.push(Header {
                name: name.strip_suffix(TEMPLATE).unwrap_or(name).to_owned(),
                text: substituted(&template, values),
            });
        }
    }
    Ok(headers)
}

/// Replaces each `@NAME@` by its value. A variable without a value becomes `unknown` in a string, and 0 elsewhere.
pub(crate) fn substituted(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('@') {
        text.push_str(before);
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match after.split_once('@').filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                let value = values.iter().find(|(known, _)| *known == name);
                let otherwise = if text.ends_with('"') { "unknown" } else { "0" };
                text.push_str(value.map_or(otherwise, |(_, value)| value));
                rest = after;
            }
            None => {
                text.push('@');
                rest = after;
            }
        }
    }
    text + rest
}

/// The value of `set(NAME value)` in a file of cmake. Variables in the value are not replaced.
pub(crate) fn cmake_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let inner = line.trim().strip_prefix("set(")?;
        let value = inner.strip_prefix(name)?.strip_prefix(' ')?;
        Some(value.split([')', ' ']).next()?.trim_matches('"'))
    })
}

/// The newest standard of C++ that files of cmake ask for, such as 17: `CMAKE_CXX_STANDARD 17` or `cxx_std_17`.
pub(crate) fn cxx_standard(text: &str) -> Option<u32> {
    let asked = ["CXX_STANDARD ", "cxx_std_"];
    let after = asked.iter().flat_map(|name| text.split(name).skip(1));
    let number = |rest: &str| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // A year such as 98 is no newer standard.
        digits.parse().ok().filter(|&number| number < 90)
    };
    after.filter_map(number).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let template = "#define A \"@A@\"\n#define B @B@\n#define C \"@C@\"\n// a@b c@\n";
        let text = substituted(template, &[("A", "1.2")]);
        let expected = "#define A \"1.2\"\n#define B 0\n#define C \"unknown\"\n// a@b c@\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_newest_standard_is_found() {
        assert_eq!(cxx_standard("set(CMAKE_CXX_STANDARD 17)\n"), Some(17));
        let both = "target_compile_features(a cxx_std_11)\nset(CMAKE_CXX_STANDARD 20)";
        assert_eq!(cxx_standard(both), Some(20));
        assert_eq!(
            cxx_standard("set(CMAKE_CXX_STANDARD_REQUIRED true)\ncxx_std_98"),
            None
        );
    }

    #[test]
    fn values_of_cmake_are_read() {
        let text = "project(x)\nset(V_MAJOR 0)\n  set(V_MINOR 28) # c\nset(V \"${V_MAJOR}\")\n";
        assert_eq!(cmake_value(text, "V_MAJOR"), Some("0"));
        assert_eq!(cmake_value(text, "V_MINOR"), Some("28"));
        assert_eq!(cmake_value(text, "V_PATCH"), None);
        assert_eq!(cmake_value(text, "V"), Some("${V_MAJOR}"));
    }
}
