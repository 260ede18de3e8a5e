//! A page of the documentation: its blocks of code, headings and links.

use std::fs;
use std::path::{Path, PathBuf};

use super::output;
use testing::test;

/// The root folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) struct Page {
    path: PathBuf,
    lines: Vec<String>,
    original: String,
}

/// A fenced block with its line numbers, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) language: String,
    /// Lines of the opening and the closing fence.
    pub(crate) open: usize,
    pub(crate) close: usize,
    pub(crate) indent: usize,
}

/// A step, in the order of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command that is hidden from the reader.
    Quietly(String),
    /// Commands, the reason why they are not run if they are not, and the block with their output.
    Run {
        block: Block,
        not_run: Option<String>,
        output: Option<Block>,
    },
}

impl Page {
    /// The README, the pages in `docs`, and the page about receipts.
    pub(crate) fn all() -> Vec<Page> {
        let docs = fs::read_dir(root().join("docs")).expect("the folder of the pages");
        let docs = docs.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = docs
            .map(|name| format!("docs/{}", name.to_str().expect("UTF-8")))
            .filter(|name| name.ends_with(".md"))
            .collect();
        names.extend(["README.md", "reports/README.md"].map(String::from));
        names.sort();
        let read = |name: &String| {
            let path = root().join(name);
            let text = fs::read_to_string(&path).expect("the page can be read");
            Page::new(path, text)
        };
        names.iter().map(read).collect()
    }

    fn new(path: PathBuf, text: String) -> Page {
        Page {
            path,
            lines: text.lines().map(String::from).collect(),
            original: text,
        }
    }

    /// Path relative to the repository.
    pub(crate) fn name(&self) -> String {
        let name = self.path.strip_prefix(root()).expect("a page of ours");
        name.display().to_string()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in self.lines.iter().enumerate() {
            let Some(fence) = line.trim_start().strip_prefix("```") else {
                continue;
            };
            match open.take() {
                Some(block) => blocks.push(Block {
                    close: number,
                    ..block
                }),
                None => {
                    open = Some(Block {
                        language: fence.to_owned(),
                        open: number,
                        close: number,
                        indent: line.len() - line.trim_start().len(),
                    });
                }
            }
        }
        assert_eq!(open, None, "{}: a block without an end", self.name());
        blocks
    }

    /// The lines of a block without indentation.
    pub(crate) fn text(&self, block: &Block) -> Vec<&str> {
        let lines = &self.lines[block.open + 1..block.close];
        let text = |line: &'_ String| line.len().min(block.indent);
        lines.iter().map(|line| &line[text(line)..]).collect()
    }

    /// The lines outside of blocks, with their numbers from 1.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let blocks = self.blocks();
        let outside = |number: &usize| blocks.iter().all(|b| *number < b.open || *number > b.close);
        let numbers = (0..self.lines.len()).filter(outside);
        numbers
            .map(|number| (number + 1, self.lines[number].as_str()))
            .collect()
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let blocks = self.blocks();
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (number, line) in self.prose() {
            if let Some(command) = comment(line, "first: ") {
                steps.push((number, Step::Quietly(command)));
            }
        }
        for (index, block) in blocks.iter().enumerate() {
            let follows = |next: &&Block| {
                let between = &self.lines[block.close + 1..next.open];
                next.language == "text" && between.iter().all(|line| line.trim().is_empty())
            };
            let output = blocks.get(index + 1).filter(follows).cloned();
            let before = block.open.checked_sub(1).map(|number| &self.lines[number]);
            match block.language.as_str() {
                "sh" => steps.push((
                    block.open,
                    Step::Run {
                        block: block.clone(),
                        not_run: before.and_then(|line| comment(line, "not run: ")),
                        output,
                    },
                )),
                "text" => assert!(
                    index > 0 && blocks[index - 1].language == "sh",
                    "{}:{}: output without a command",
                    self.name(),
                    block.open + 1
                ),
                _ => {}
            }
        }
        steps.sort_by_key(|&(number, _)| number);
        steps.into_iter().map(|(_, step)| step).collect()
    }

    /// Replaces the lines of a block. Later blocks move, so replace the last one first.
    pub(crate) fn replace(&mut self, block: &Block, text: &[String]) {
        let indented = text.iter().map(|line| match line.as_str() {
            "" => String::new(),
            line => format!("{}{line}", " ".repeat(block.indent)),
        });
        self.lines.splice(block.open + 1..block.close, indented);
    }

    pub(crate) fn save(&self) {
        fs::write(&self.path, self.current()).expect("the page can be written");
    }

    /// The shown outputs that the commands no longer print.
    pub(crate) fn stale(&self) -> Option<String> {
        let (old, new) = (self.original.lines(), self.current());
        let pairs = old
            .map(output::normalised)
            .zip(new.lines().map(output::normalised));
        let mut differing = pairs.enumerate().filter(|(_, (old, new))| old != new);
        let first = differing.next().map(|(number, (old, new))| {
            format!(
                "line {}: the page shows `{old}`, printed was `{new}`",
                number + 1
            )
        });
        let shorter = (self.original.lines().count() != self.lines.len())
            .then(|| "more or fewer lines were printed than the page shows".to_owned());
        let what = first.or(shorter)?;
        let name = self.name();
        Some(format!(
            "{name}: {what}; if this is right, UPDATE_DOCS=1 writes it"
        ))
    }

    fn current(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The anchors that GitHub makes from the headings of the page.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self
            .prose()
            .into_iter()
            .filter(|(_, line)| line.starts_with('#'));
        headings
            .map(|(_, line)| anchor(line.trim_start_matches('#').trim()))
            .collect()
    }

    /// The subcommands in code spans of the prose, with their lines.
    pub(crate) fn spoken(&self) -> Vec<(usize, String)> {
        let mut spoken = Vec::new();
        for (number, line) in self.prose() {
            for code in line.split('`').skip(1).step_by(2) {
                let word = code
                    .strip_prefix("harness ")
                    .map(|rest| rest.split(' ').next());
                if let Some(Some(word)) = word.filter(|w| w.is_some_and(|w| !w.starts_with('-'))) {
                    spoken.push((number, word.to_owned()));
                }
            }
        }
        spoken
    }
}

/// The text of `<!-- KIND text -->`.
fn comment(line: &str, kind: &str) -> Option<String> {
    let text = line.trim().strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    Some(text.strip_prefix(kind)?.to_owned())
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then_some(c),
    });
    kept.collect()
}

#[test]
fn a_page_is_parsed() {
    let text = "# A page of `x.y`\n<!-- first: harness a -->\n```sh\nharness b\n```\n\n```text\nb\n```\n\
                1. x\n\n   <!-- not run: why -->\n   ```sh\n   harness c\n   ```\nsay `harness d -x`\n";
    let page = Page::new(root().join("x.md"), text.into());
    assert_eq!(page.anchors(), ["a-page-of-xy"]);
    assert_eq!(page.spoken(), [(16, "d".to_owned())]);
    let steps = page.steps();
    assert_eq!(steps[0], Step::Quietly("harness a".into()));
    let Step::Run {
        block,
        not_run: None,
        output: Some(output),
    } = &steps[1]
    else {
        panic!("{steps:?}");
    };
    assert_eq!(
        (page.text(block), page.text(output)),
        (vec!["harness b"], vec!["b"])
    );
    let Step::Run {
        block,
        not_run: Some(why),
        output: None,
    } = &steps[2]
    else {
        panic!("{steps:?}");
    };
    assert_eq!((page.text(block), why.as_str()), (vec!["harness c"], "why"));
}
