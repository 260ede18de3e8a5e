//! Files on disk, including files written by bitnet.cpp.

use std::fs;
use std::io::Write;

use qk256::gguf::{Builder, GgmlType, Gguf, GgufError, GgufFile};
use testing::{MODELS, models, test};

#[test(needs(MODELS))]
fn real_files_parse() {
    for path in models() {
        let file = GgufFile::open(&path).unwrap();
        let gguf = file.view();
        crate::fuzz::check_gguf(gguf.bytes()).unwrap();
        let architecture = gguf.str("general.architecture").unwrap();
        assert!(gguf.u32(&format!("{architecture}.block_count")).unwrap() > 0);
        assert!(gguf.tensor_count() > 0);
        assert!(gguf.find_tensor("token_embd.weight").is_some());
        for tensor in gguf.tensors() {
            // With a wrong block size in the table there would be a gap of at least the alignment.
            let span = tensor.bytes().len();
            if let Some(nominal) = tensor.nominal_bytes() {
                assert!(
                    span - nominal < gguf.alignment(),
                    "{} {nominal} {span}",
                    tensor.name()
                );
            }
            if tensor.ggml_type() == GgmlType::I2_S {
                assert!(
                    span >= tensor.shape().elements() / 4,
                    "{} {span}",
                    tensor.name()
                );
            }
        }
    }
}

#[test(needs(MODELS))]
fn real_files_written_again_have_the_same_bytes() {
    for path in models() {
        let file = GgufFile::open(&path).unwrap();
        let gguf = file.view();
        let mut builder = Builder::default();
        for (key, value) in gguf.metadata() {
            builder.metadata(key, value).unwrap();
        }
        for tensor in gguf.tensors() {
            let data = tensor.data().unwrap_or(tensor.bytes());
            let (dims, ggml_type) = (tensor.dims(), tensor.ggml_type());
            builder
                .tensor(tensor.name(), dims, ggml_type, data.len() as u64)
                .unwrap();
        }
        let mut writer = builder.start(Vec::new()).unwrap();
        for tensor in gguf.tensors() {
            let data = tensor.data().unwrap_or(tensor.bytes());
            writer = writer.tensor(tensor.name(), data).unwrap();
        }
        let again = writer.finish().unwrap();
        assert!(
            again == gguf.bytes(),
            "{} differs when written again",
            path.display()
        );
    }
}

#[test]
fn a_file_is_mapped_and_viewed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.gguf");
    let bytes = crate::raw::sample().build();
    fs::write(&path, &bytes).unwrap();
    let file = GgufFile::open(&path).unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(file.view().bytes(), bytes);
    let parsed = Gguf::parse(&bytes).unwrap();
    assert!(file.view().metadata().eq(parsed.metadata()));
    // A tensor outlives the view that it came from.
    let tensor = file.view().tensor("last.f32").unwrap();
    assert_eq!(tensor.bytes(), parsed.tensor("last.f32").unwrap().bytes());
}

#[test]
fn errors_of_opening_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.gguf");
    let error = GgufFile::open(&absent).unwrap_err();
    assert!(
        matches!(&error, GgufError::Io { path, .. } if *path == absent),
        "{error}"
    );
    assert!(error.to_string().contains("absent.gguf"));
    assert!(matches!(
        GgufFile::open(folder.path()),
        Err(GgufError::Io { .. })
    ));
    for content in [&b""[..], b"GGUF", b"not a model at all"] {
        let path = folder.path().join("broken.gguf");
        fs::write(&path, content).unwrap();
        let error = GgufFile::open(&path).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.contains("broken.gguf") && shown.contains(" at byte "),
            "{shown}"
        );
        let GgufError::InFile { cause, .. } = error else {
            panic!("{error}")
        };
        assert!(matches!(*cause, GgufError::Malformed { .. }));
    }
}

#[test]
fn metadata_stay_what_was_checked_whatever_is_written_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    // Longer than the part of a file that is copied at first.
    let words = "word ".repeat(40_000);
    let mut builder = Builder::default();
    builder.metadata("words", words.as_str()).unwrap();
    builder.tensor("w", &[2], GgmlType::F32, 8).unwrap();
    let writer = builder.start(Vec::new()).unwrap();
    let bytes = writer.tensor("w", &[7; 8]).unwrap().finish().unwrap();
    fs::write(&path, &bytes).unwrap();
    let file = GgufFile::open(&path).unwrap();
    let other = fs::OpenOptions::new().write(true).open(&path).unwrap();
    (&other).write_all(&vec![0xff; bytes.len()]).unwrap();
    let gguf = file.view();
    assert_eq!(gguf.str("words").unwrap(), words);
    assert_eq!(gguf.tensor("w").unwrap().data(), Some(&[0xff; 8][..]));
}
