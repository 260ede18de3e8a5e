//! Checks links between pages.

use super::page::Page;
use testing::test;

/// The broken links of a page: files that do not exist, and anchors without a heading.
pub(crate) fn broken(page: &Page) -> Vec<String> {
    let mut broken = Vec::new();
    for (line, text) in page.prose() {
        for link in targets(text) {
            if let Some(what) = trouble(page, link) {
                broken.push(format!("{}:{line}: {link}: {what}", page.name()));
            }
        }
    }
    broken
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    let rest = line.split("](").skip(1);
    rest.filter_map(|rest| rest.split(')').next())
}

fn trouble(page: &Page, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.path().parent().expect("a page is in a folder");
    let target = match file {
        "" => page.path().to_path_buf(),
        file => folder.join(file),
    };
    let Ok(target) = target.canonicalize() else {
        return Some("no such file".into());
    };
    if anchor.is_empty() {
        return None;
    }
    let pages = Page::all();
    let same = |page: &&Page| page.path().canonicalize().is_ok_and(|path| path == target);
    match pages.iter().find(same) {
        None => Some("an anchor in what is no page".into()),
        Some(page) if page.anchors().iter().any(|other| other == anchor) => None,
        Some(page) => Some(format!("{} has no such heading", page.name())),
    }
}

#[test]
fn links_are_found() {
    let found: Vec<&str> = targets("see [a](b.md#c), [d](e)").collect();
    assert_eq!(found, ["b.md#c", "e"]);
}
