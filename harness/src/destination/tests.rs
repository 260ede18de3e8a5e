use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::tempdir;

use super::*;

fn write(path: &Path, text: &str) -> Result<(), DestinationError> {
    Destination::replacing(path)?.write_text(text)
}

#[test]
fn links_stay_and_their_targets_are_written() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/file"), "before").unwrap();
    symlink("elsewhere/file", at("link")).unwrap();
    symlink("link", at("chain")).unwrap();
    symlink("elsewhere/new", at("dangling")).unwrap();
    for (name, target) in [("link", "file"), ("chain", "file"), ("dangling", "new")] {
        write(&at(name), name).unwrap();
        assert!(at(name).is_symlink());
        assert_eq!(
            fs::read_to_string(at("elsewhere").join(target)).unwrap(),
            name
        );
    }
    symlink("circle", at("circle")).unwrap();
    assert!(write(&at("circle"), "x").is_err());
}

#[test]
fn devices_and_pipes_are_written_to() {
    let folder = tempdir().unwrap();
    let null = folder.path().join("null");
    symlink("/dev/null", &null).unwrap();
    for path in [Path::new("/dev/null"), &null] {
        write(path, "x").unwrap();
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
    }
    let error = write(Path::new("/dev/full"), "x").unwrap_err().to_string();
    assert!(error.contains("/dev/full"), "{error}");

    let pipe = folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reader = {
        let pipe = pipe.clone();
        thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    write(&pipe, "through").unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    // A reader that closes the pipe early is no error.
    let reader = {
        let pipe = pipe.clone();
        thread::spawn(move || {
            let mut byte = [0];
            fs::File::open(pipe).unwrap().read_exact(&mut byte).unwrap();
        })
    };
    let mut sink = Destination::replacing(&pipe).unwrap().start().unwrap();
    sink.put(&[b'x'; 1 << 16]).unwrap();
    reader.join().unwrap();
    sink.put(&[b'x'; 1 << 20]).unwrap();
    sink.finish().unwrap();
}

#[test]
fn an_input_is_no_output_under_any_name_and_outputs_differ() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("model"), "precious").unwrap();
    symlink("model", at("link")).unwrap();
    fs::hard_link(at("model"), at("same")).unwrap();
    let mut all = Destinations::of_reading([at("model"), at("recipe")]);
    for name in ["model", "link", "same", "../../model"] {
        let path = match name.strip_prefix("../../") {
            Some(name) => folder
                .path()
                .join("..")
                .join(folder.path().file_name().unwrap())
                .join(name),
            None => at(name),
        };
        let claimed = all.file(&path);
        assert!(
            matches!(claimed, Err(DestinationError::IsInput { .. })),
            "{name}"
        );
    }
    all.file(&at("new")).unwrap();
    assert!(matches!(
        all.file(&at("./new")),
        Err(DestinationError::Twice { .. })
    ));
    all.file(Path::new("/dev/null")).unwrap();
    all.file(Path::new("/dev/null")).unwrap();
    assert!(!all.takes_stdout());
    all.file(Path::new(STDOUT)).unwrap();
    assert!(all.takes_stdout());
    assert!(matches!(
        all.file(Path::new("/dev/stdout")),
        Err(DestinationError::Twice { .. })
    ));
    assert_eq!(fs::read_to_string(at("model")).unwrap(), "precious");
}

/// Not even root can create files in `/proc`.
#[test]
fn unwritable_outputs_are_found_before_the_work() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "").unwrap();
    for path in [
        "/proc/receipt.json".into(),
        at("no/such/folder"),
        at("file/below"),
        folder.path().into(),
        at("x/.."),
    ] {
        let error = Destination::replacing(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    for path in ["/proc/findings".into(), at("file"), at("file/below")] {
        assert!(Destinations::folder(&path).is_err(), "{}", path.display());
    }
    Destinations::folder(&at("not/yet/there")).unwrap();
    let exists = Destination::at(&at("file"), Existing::Refuse);
    assert!(matches!(exists, Err(DestinationError::Exists(_))));
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}

#[test]
fn text_is_appended_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("summary.md");
    for text in ["one\n", "two\u{1b}\n"] {
        Destination::at(&path, Existing::Append)
            .unwrap()
            .write_text(text)
            .unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\\u001b\n");
}
