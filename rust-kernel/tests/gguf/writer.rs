//! Tests of the writer: the bytes it writes, and its errors.

use std::io::{self, Write};

use qk256::gguf::{
    ALIGNMENT_KEY, ArrayBuf, Builder, GgmlType, Gguf, GgufWriter, Problem, Value, ValueType,
    WriteError,
};

use crate::raw::{Raw, array, entry, info, string};
use testing::test;

fn two_tensors() -> Builder {
    let mut builder = Builder::default();
    builder.metadata("general.name", "x").unwrap();
    builder
        .metadata("n", &ArrayBuf::from(&[1u16, 2][..]))
        .unwrap();
    builder.tensor("a", &[3], GgmlType::F16, 6).unwrap();
    builder.tensor("b", &[128, 2], GgmlType::I2_S, 96).unwrap();
    builder
}

fn by_hand() -> Vec<u8> {
    let entries = vec![
        entry("general.name", 8, &string(b"x")),
        entry("n", 9, &array(2, 2, &[1, 0, 2, 0])),
    ];
    let infos = vec![info("a", &[3], 1, 0), info("b", &[128, 2], 36, 32)];
    let mut data = vec![1, 2, 3, 4, 5, 6];
    data.resize(32, 0);
    data.resize(128, 9);
    Raw::new(entries, infos, data).build()
}

#[test]
fn the_bytes_are_those_laid_out_by_hand() {
    let writer = two_tensors().start(Vec::new()).unwrap();
    let writer = writer.tensor("a", &[1, 2, 3, 4, 5, 6]).unwrap();
    let file = writer.tensor("b", &[9; 96]).unwrap().finish().unwrap();
    assert_eq!(file, by_hand());
    crate::fuzz::check_gguf(&file).unwrap();
}

#[test]
fn streamed_pieces_are_the_same_bytes() {
    let writer = two_tensors().start(Vec::new()).unwrap();
    let piece_by_piece = |sink: &mut dyn Write| (1..=6).try_for_each(|n| sink.write_all(&[n]));
    let writer = writer.stream("a", |sink| piece_by_piece(sink)).unwrap();
    let writer = writer
        .stream("b", |sink| {
            sink.write_all(&[])?;
            sink.write_all(&[9; 95])?;
            sink.write_all(&[9])
        })
        .unwrap();
    assert_eq!(writer.finish().unwrap(), by_hand());
}

#[test]
fn the_alignment_key_sets_the_alignment() {
    let mut builder = two_tensors();
    builder.metadata(ALIGNMENT_KEY, 128u32).unwrap();
    let writer = builder
        .start(Vec::new())
        .unwrap()
        .tensor("a", &[7; 6])
        .unwrap();
    let file = writer.tensor("b", &[9; 96]).unwrap().finish().unwrap();
    crate::fuzz::check_gguf(&file).unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    assert_eq!(
        (gguf.alignment(), gguf.data_start() % 128, file.len() % 128),
        (128, 0, 0)
    );
    assert_eq!(gguf.tensor("a").unwrap().bytes().len(), 128);
    for (value, problem) in [
        (Value::U32(3), Problem::Alignment { found: 3 }),
        (Value::U32(0), Problem::Alignment { found: 0 }),
        (
            Value::U64(64),
            Problem::AlignmentType {
                found: ValueType::U64,
            },
        ),
    ] {
        let error = Builder::default()
            .metadata(ALIGNMENT_KEY, value)
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, WriteError::Metadata { problem: p, .. } if p == problem));
    }
}

#[test]
fn an_empty_file_is_a_file() {
    let file = Builder::default()
        .start(Vec::new())
        .unwrap()
        .finish()
        .unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    assert_eq!((gguf.metadata_count(), gguf.tensor_count()), (0, 0));
    // Only tensors need padding.
    assert!(Gguf::parse(&file[..24]).is_ok());
}

#[test]
fn declarations_that_the_reader_would_refuse() {
    let mut builder = two_tensors();
    let error = builder.metadata("n", 5u8).map(drop).unwrap_err();
    assert!(matches!(error, WriteError::DuplicateKey { key } if key == "n"));
    let error = builder
        .tensor("b", &[1], GgmlType::F32, 4)
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, WriteError::DuplicateTensor { name } if name == "b"));
    let mut tensor = |dims: &[usize], ggml_type, bytes| {
        builder
            .tensor("c", dims, ggml_type, bytes)
            .map(drop)
            .unwrap_err()
    };
    for (dims, ggml_type) in [
        (&[][..], GgmlType::F32),
        (&[1; 5], GgmlType::F32),
        (&[0], GgmlType::F32),
        (&[255], GgmlType::TQ1_0),
        (&[1], GgmlType(40)),
        (&[1 << 40, 1 << 40], GgmlType::I2_S),
    ] {
        let error = tensor(dims, ggml_type, 4);
        assert!(matches!(error, WriteError::Tensor { .. }), "{error}");
    }
    for bytes in [0, 64, 67, u64::MAX] {
        let error = tensor(&[256], GgmlType::TQ2_0, bytes);
        let WriteError::Length {
            expected: 66,
            given,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(given, bytes);
    }
    let error = tensor(&[256], GgmlType::I2_S, 0);
    assert!(matches!(error, WriteError::NoData { name } if name == "c"));
    // Rejected declarations are not in the file.
    assert_eq!(
        finish(builder.start(Vec::new()).unwrap()).unwrap().len(),
        by_hand().len()
    );
}

fn finish<W: Write>(writer: GgufWriter<W>) -> Result<W, WriteError> {
    writer.tensor("a", &[0; 6])?.tensor("b", &[0; 96])?.finish()
}

#[test]
fn lengths_and_order_of_the_data() {
    let start = || two_tensors().start(Vec::new()).unwrap();
    for given in [0, 5, 7, 1000] {
        let error = start().tensor("a", &vec![0; given]).map(drop).unwrap_err();
        let WriteError::Length {
            expected: 6,
            given: found,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(found, given as u64);
    }
    // Rejected even if the callback ignores the error of the sink.
    let careless = |sink: &mut dyn Write| {
        sink.write_all(&[1; 4])?;
        let _ = sink.write_all(&[2; 4]);
        sink.write_all(&[3; 2])
    };
    let error = start()
        .stream("a", |sink| careless(sink))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, WriteError::Length { .. }), "{error}");
    let error = start().tensor("b", &[0; 96]).map(drop).unwrap_err();
    assert!(matches!(error, WriteError::Order { expected: Some(name), .. } if name == "a"));
    let both = start()
        .tensor("a", &[0; 6])
        .unwrap()
        .tensor("b", &[0; 96])
        .unwrap();
    let error = both.tensor("c", &[]).map(drop).unwrap_err();
    assert!(
        matches!(error, WriteError::Order { expected: None, .. }),
        "{error}"
    );
    let error = start()
        .tensor("a", &[0; 6])
        .unwrap()
        .finish()
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, WriteError::Unfinished { name } if name == "b"));
    let mut builder = Builder::default();
    builder
        .tensor("a", &[1], GgmlType::I2_S, u64::MAX - 40)
        .unwrap();
    builder.tensor("b", &[1], GgmlType::I2_S, 64).unwrap();
    let error = builder.start(Vec::new()).map(drop).unwrap_err();
    assert!(matches!(error, WriteError::TooLarge), "{error}");
}

/// A sink that accepts one byte per call, up to a limit.
struct Narrow {
    taken: Vec<u8>,
    room: usize,
}

impl Write for Narrow {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.taken.len() == self.room && !data.is_empty() {
            return Err(io::Error::other("full"));
        }
        self.taken.extend(&data[..data.len().min(1)]);
        Ok(data.len().min(1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_anywhere_fails_the_file() {
    let whole = finish(two_tensors().start(Vec::new()).unwrap()).unwrap();
    for room in 0..=whole.len() {
        let result = two_tensors()
            .start(Narrow {
                taken: Vec::new(),
                room,
            })
            .and_then(finish);
        match result {
            Ok(sink) => assert_eq!((room, &sink.taken), (whole.len(), &whole)),
            Err(error) => assert!(matches!(error, WriteError::Io(_)) && room < whole.len()),
        }
    }
}
