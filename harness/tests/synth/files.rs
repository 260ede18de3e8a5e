//! Finds recipes and writes files, through the library and the command.

use std::fs;

use clap::Parser;
use harness::cli::{Cli, CliError, Output, OutputOptions};
use harness::exit::Exit;
use harness::synth::{Existing, Plan, SynthError, create, embedded, find, write_to};
use qk256::gguf::Gguf;

use super::{bytes_of, plan, sha256};
use testing::test;

#[test]
fn a_file_is_replaced_only_if_requested() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let plan = plan("tiny-llama-i2_s");
    fs::write(&path, "precious").unwrap();
    let error = create(&plan, &path, Existing::Refuse).unwrap_err();
    assert!(matches!(error, SynthError::Exists { .. }) && error.to_string().contains("--force"));
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let written = create(&plan, &path, Existing::Replace).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.sha256, sha256(&bytes));
    assert_eq!(bytes, bytes_of(&plan));

    // A folder at the path makes the rename fail after all bytes were written.
    let occupied = folder.path().join("folder");
    fs::create_dir(&occupied).unwrap();
    let error = create(&plan, &occupied, Existing::Replace).unwrap_err();
    assert!(matches!(error, SynthError::Create { .. }), "{error}");
    assert!(
        create(
            &plan,
            &folder.path().join("no/such/folder"),
            Existing::Refuse
        )
        .is_err()
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "a temporary file was left"
    );
}

#[test]
fn a_sink_that_refuses_bytes_is_an_error() {
    /// A writer that accepts only this number of bytes, like a full disk.
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(data.len())
                .ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(data.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let plan = plan("tiny-llama-i2_s");
    for room in [0, 100_000, plan.file_bytes() as usize - 1] {
        let error = write_to(&plan, Full(room)).map(|_| ()).unwrap_err();
        assert!(matches!(error, SynthError::Container { .. }), "{error}");
    }
    assert!(write_to(&plan, Full(plan.file_bytes() as usize)).is_ok());
}

#[test]
fn recipes_are_found_by_name_and_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny-llama-i2_s.toml");
    let (_, text) = embedded()
        .into_iter()
        .find(|(name, _)| *name == "tiny-llama-i2_s")
        .unwrap();
    fs::write(&path, text).unwrap();
    let by_path = Plan::new(find(path.to_str().unwrap()).unwrap()).unwrap();
    assert_eq!(bytes_of(&by_path), bytes_of(&plan("tiny-llama-i2_s")));

    let error = find("tiny-llama").unwrap_err().to_string();
    assert!(
        error.contains("`tiny-llama`") && error.contains("tiny-llama-i2_s"),
        "{error}"
    );
    assert!(matches!(
        find("./nowhere.toml"),
        Err(SynthError::Read { .. })
    ));
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(
        find(path.to_str().unwrap()),
        Err(SynthError::TooLong { .. })
    ));
}

/// Runs a command line and returns its output.
fn command(args: &[&str]) -> Result<String, CliError> {
    let command = Cli::try_parse_from(["harness", "synth"].iter().chain(args)).unwrap();
    let mut out = Vec::new();
    assert_eq!(
        command.run(&mut Output::new(&OutputOptions::default(), &mut out))?,
        Exit::Agreement
    );
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn the_command_writes_and_lists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let path = path.to_str().unwrap();
    let args = ["tiny-bitnet-tq1_0", "-o", path, "--seed", "99"];
    let printed = command(&args).unwrap();
    let bytes = fs::read(path).unwrap();
    for part in [path, &bytes.len().to_string(), &sha256(&bytes)] {
        assert!(printed.contains(part), "{printed}");
    }
    assert!(
        Gguf::parse(&bytes)
            .unwrap()
            .str("general.description")
            .unwrap()
            .ends_with("seed 99")
    );
    assert!(matches!(
        command(&args),
        Err(CliError::Synth(SynthError::Exists { .. }))
    ));
    assert!(command(&["tiny-bitnet-tq1_0", "-o", path, "--force"]).is_ok());
    assert_ne!(fs::read(path).unwrap(), bytes);

    let printed = command(&["--list"]).unwrap();
    for (name, _) in embedded() {
        let line = printed
            .lines()
            .find(|line| line.trim().starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not listed"));
        let recipe = find(name).unwrap();
        assert!(line.contains(recipe.architecture.name()), "{line}");
        let format = recipe.weights.map(|weights| weights.format);
        assert!(line.contains(&format.unwrap_or_default()), "{line}");
    }
}

#[test]
fn invalid_command_lines_are_refused() {
    for args in [
        &[][..],
        &["default"],
        &["-o", "x"],
        &["--list", "default"],
        &["--list", "-o", "x"],
    ] {
        let command = Cli::try_parse_from(["harness", "synth"].iter().chain(args));
        assert!(command.is_err(), "{args:?}");
    }
}
