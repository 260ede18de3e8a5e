//! A skip is reported with its reason, also to cargo-nextest, and fails if it is forbidden. This program starts itself
//! with two additional tests, one of which has an unmet need.

use std::process::{Command, ExitCode, Output};

use testing::{NO_SKIPS, Need, test};

/// Set in the child process with the additional tests.
const SUBJECT: &str = "TESTING_SUBJECT";

/// A need that is not met in the child process.
const MOON: Need = Need {
    name: "moon",
    check: || match std::env::var_os(SUBJECT) {
        Some(_) => Err("the moon is down".into()),
        None => Ok(()),
    },
};

mod subject {
    use super::{MOON, SUBJECT};
    use testing::test;

    #[test(needs(MOON))]
    fn lacks_the_moon() {
        assert!(std::env::var_os(SUBJECT).is_none());
    }

    #[test]
    fn lacks_nothing() {}
}

fn run(arguments: &[&str], no_skips: &str) -> (Output, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["subject"])
        .args(arguments)
        .env(SUBJECT, "1")
        .env(NO_SKIPS, no_skips)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

#[test]
fn a_skip_is_counted_and_has_a_reason() {
    for elsewhere in ["", "sun,stars"] {
        let (output, text) = run(&[], elsewhere);
        assert!(output.status.success(), "{text}");
        let line = text.lines().find(|line| line.contains("lacks_the_moon"));
        assert!(
            line.is_some_and(|line| line.ends_with("ignored (the moon is down)")),
            "{text}"
        );
        assert!(text.contains("1 passed; 0 failed; 1 ignored"), "{text}");
    }
}

#[test]
fn a_forbidden_skip_fails_with_the_reason() {
    for no_skips in ["moon", "sun, moon", "all"] {
        let (output, text) = run(&[], no_skips);
        assert_eq!(output.status.code(), Some(101), "{text}");
        assert!(text.contains("needs moon: the moon is down"), "{text}");
        assert!(text.contains("1 passed; 1 failed; 0 ignored"), "{text}");
    }
}

#[test]
fn the_list_that_nextest_asks_for_has_it_among_the_ignored_with_the_reason() {
    let list = ["--list", "--format", "terse"];
    let (_, all) = run(&list, "");
    let (_, ignored) = run(&[&list[..], &["--ignored"]].concat(), "");
    assert_eq!(
        ignored,
        "[the moon is down] subject::lacks_the_moon: test\n"
    );
    assert_eq!(all, format!("subject::lacks_nothing: test\n{ignored}"));
    let (_, forbidden) = run(&[&list[..], &["--ignored"]].concat(), "moon");
    assert_eq!(forbidden, "");
}

fn main() -> ExitCode {
    testing::main()
}
