//! Files built byte by byte, without the writer of the crate, so that any field can be invalid.

use qk256::gguf::{GgufError, Problem};

/// The encoded parts of a file. [`build`](Raw::build) concatenates them.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    /// Overrides of the counts in the header.
    pub(crate) tensor_count: Option<u64>,
    pub(crate) metadata_count: Option<u64>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) infos: Vec<Vec<u8>>,
    /// Alignment of the start of the data.
    pub(crate) alignment: usize,
    pub(crate) data: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(entries: Vec<Vec<u8>>, infos: Vec<Vec<u8>>, data: Vec<u8>) -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            metadata_count: None,
            entries,
            infos,
            alignment: 32,
            data,
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(
            self.tensor_count
                .unwrap_or(self.infos.len() as u64)
                .to_le_bytes(),
        );
        bytes.extend(
            self.metadata_count
                .unwrap_or(self.entries.len() as u64)
                .to_le_bytes(),
        );
        bytes.extend(self.entries.concat());
        bytes.extend(self.infos.concat());
        bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
        bytes.extend(&self.data);
        bytes
    }

    /// Offset of the first metadata entry.
    pub(crate) const ENTRIES: u64 = 24;

    /// Offset of tensor info `index`.
    pub(crate) fn info_at(&self, index: usize) -> u64 {
        let entries: usize = self.entries.iter().map(Vec::len).sum();
        let infos: usize = self.infos[..index].iter().map(Vec::len).sum();
        Self::ENTRIES + (entries + infos) as u64
    }
}

pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

pub(crate) fn entry(key: &str, type_id: u32, value: &[u8]) -> Vec<u8> {
    [
        string(key.as_bytes()),
        type_id.to_le_bytes().to_vec(),
        value.to_vec(),
    ]
    .concat()
}

pub(crate) fn array(item_type: u32, len: u64, items: &[u8]) -> Vec<u8> {
    [&item_type.to_le_bytes()[..], &len.to_le_bytes(), items].concat()
}

pub(crate) fn info(name: &str, dims: &[u64], type_id: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string(name.as_bytes());
    bytes.extend((dims.len() as u32).to_le_bytes());
    bytes.extend(dims.iter().flat_map(|dim| dim.to_le_bytes()));
    bytes.extend(type_id.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// A valid file with one metadata entry of each type, arrays of each kind, and three tensors whose data has another
/// order than their infos. It ends with the last byte of the last tensor.
pub(crate) fn sample() -> Raw {
    let nested = [
        array(9, 1, &array(1, 2, &[255, 1])),
        array(8, 1, &string(b"x")),
    ]
    .concat();
    let entries = vec![
        entry("u8", 0, &[200]),
        entry("i8", 1, &[200]),
        entry("u16", 2, &[1, 2]),
        entry("i16", 3, &[254, 255]),
        entry("u32", 4, &[1, 2, 3, 4]),
        entry("i32", 5, &(-5i32).to_le_bytes()),
        entry("f32", 6, &1.5f32.to_le_bytes()),
        entry("bool", 7, &[1]),
        entry("string", 8, &string("zwölf".as_bytes())),
        entry(
            "numbers",
            9,
            &array(4, 3, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]),
        ),
        entry(
            "strings",
            9,
            &array(8, 2, &[string(b""), string(b"two")].concat()),
        ),
        entry("bits", 9, &array(7, 2, &[0, 1])),
        entry("nested", 9, &array(9, 2, &nested)),
        entry("u64", 10, &u64::MAX.to_le_bytes()),
        entry("i64", 11, &i64::MIN.to_le_bytes()),
        entry("f64", 12, &(-0.25f64).to_le_bytes()),
    ];
    let infos = vec![
        info("last.f32", &[3, 2], 0, 192),
        info("first.i2_s", &[128, 1], 36, 0),
        info("middle.tq2_0", &[256, 1, 1, 1], 35, 64),
    ];
    // 32 code bytes and 32 of scale and padding; 66 bytes and 62 of padding; 24 bytes.
    let mut data = vec![0x55; 64];
    data.extend([0xaa; 66]);
    data.resize(192, 0);
    data.extend((0u8..24).collect::<Vec<_>>());
    Raw::new(entries, infos, data)
}

/// Field, offset and problem of a malformed file. The checks for all errors are run before.
pub(crate) fn malformed(bytes: &[u8]) -> (String, u64, Problem) {
    match crate::fuzz::check_gguf(bytes) {
        Err(GgufError::Malformed {
            field,
            offset,
            problem,
            ..
        }) => (field, offset, problem),
        Err(other) => panic!("expected a malformed field: {other}"),
        Ok(()) => panic!("a malformed file was accepted"),
    }
}

/// Asserts that the file is rejected for this reason.
#[track_caller]
pub(crate) fn refused(raw: &Raw, field: &str, offset: u64, problem: Problem) {
    assert_eq!(malformed(&raw.build()), (field.to_owned(), offset, problem));
}

/// A file with one metadata entry.
pub(crate) fn with_entry(entry: Vec<u8>) -> Raw {
    Raw::new(vec![entry], Vec::new(), Vec::new())
}
