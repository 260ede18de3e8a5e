//! The documentation holds: every command on its pages runs and exits as the page says, what they print is what the page
//! shows, and every link leads somewhere.
//!
//! `UPDATE_DOCS=1` writes what the commands print into the pages; `DOCS_PAGES=README.md,docs/ladder.md` runs those of these
//! pages alone.

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
use common::{FOLLOWED, ORACLE, assert_code, unread};
use page::Page;
use testing::test;

#[test(needs(ORACLE))]
fn every_command_runs_and_prints_what_the_page_shows() {
    let programs = programs::find();
    let update = env::var_os("UPDATE_DOCS").is_some();
    // Elsewhere the first oracle is another build, with other figures.
    let compare = FOLLOWED.is_met();
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

/// A program of one's own ends by its verdict too, whoever reads.
#[test(needs(ORACLE))]
fn a_broken_kernel_is_no_agreement_when_nobody_reads() {
    let example = programs::find().examples.join("own_kernel");
    let mut example = unread(example);
    example.args(["--broken", "--rung=lut"]);
    let output = example.spawn().unwrap().wait_with_output().unwrap();
    assert_code(&output, 1);
}

#[test]
fn every_link_leads_somewhere() {
    let broken: Vec<String> = Page::all().iter().flat_map(links::broken).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_readme_leads_to_every_page() {
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
fn every_command_that_is_spoken_of_exists() {
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
