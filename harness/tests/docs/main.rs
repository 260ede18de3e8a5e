//! Tests the documentation: every command on its pages exits as the page shows, prints the shown output, and every link
//! has a target.
//!
//! `UPDATE_DOCS=1` writes the outputs of the commands into the pages. `DOCS_PAGES=README.md,docs/levels.md` runs only
//! the commands of these pages.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod links;
mod output;
mod page;
mod programs;

use std::path::Path;
use std::{env, fs, thread};

use commands::{Counts, Place};
use common::{IDENTITY, ORACLE, assert_code, unread};
use page::Page;
use testing::test;

#[test(needs(ORACLE))]
fn every_command_runs_and_prints_what_the_page_shows() {
    let programs = programs::find();
    let update = env::var_os("UPDATE_DOCS").is_some();
    // On other machines the first oracle is another build with other numbers.
    let compare = IDENTITY.is_met();
    let wanted = env::var("DOCS_PAGES").ok();
    let mut pages = Page::all();
    pages.retain(|page| {
        let name = page.name();
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted.split(',').any(|of| of == name))
    });
    let walked: Vec<(Page, Result<Counts, String>)> = thread::scope(|scope| {
        let walk = |mut page: Page| {
            let programs = &programs;
            scope.spawn(move || {
                let counts = commands::walk(&mut page, programs, &Place::new(), compare);
                (page, counts)
            })
        };
        let walks: Vec<_> = pages.into_iter().map(walk).collect();
        let done = walks.into_iter().map(|walk| walk.join().expect("no panic"));
        done.collect()
    });
    let mut failures = Vec::new();
    let mut total = Counts::default();
    for (page, counts) in walked {
        match counts {
            Ok(counts) => total.add(counts),
            Err(reason) => failures.push(format!("{}: {reason}", page.name())),
        }
        if update {
            page.save();
        } else {
            failures.extend(page.stale());
        }
    }
    println!("{total}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(total.run > 0, "no page has a command");
}

/// A user's own program ends with its verdict too, also with a closed pipe.
#[test(needs(ORACLE))]
fn a_broken_kernel_is_no_agreement_with_a_closed_pipe() {
    let example = programs::find().examples.join("own_kernel");
    let mut example = unread(example);
    example.args(["--broken", "--level=lut"]);
    let output = example.spawn().unwrap().wait_with_output().unwrap();
    assert_code(&output, 1);
}

#[test]
fn every_link_has_a_target() {
    let broken: Vec<String> = Page::all().iter().flat_map(links::broken).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_readme_links_every_page() {
    let readme = fs::read_to_string(page::root().join("README.md")).unwrap();
    for page in Page::all() {
        let name = page.name();
        assert!(
            Path::new(&name) == Path::new("README.md") || readme.contains(&format!("({name}")),
            "README.md has no link to {name}"
        );
    }
}

#[test]
fn every_mentioned_command_exists() {
    let programs = programs::find();
    for page in Page::all() {
        for (line, command) in page.spoken() {
            let exists = programs.has_command(&command);
            assert!(exists, "{}:{line}: no `harness {command}`", page.name());
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
