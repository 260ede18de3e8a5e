//! Each kind of damage to header and metadata is reported with its field, its offset and the value found.

use qk256::gguf::{Gguf, Problem};

use crate::raw::{Raw, array, entry, info, malformed, refused, sample, string, with_entry};
use testing::test;

#[test]
fn magic_and_version() {
    let magic = Raw {
        magic: *b"PK\x03\x04",
        ..sample()
    };
    refused(
        &magic,
        "magic",
        0,
        Problem::Magic {
            found: *b"PK\x03\x04",
        },
    );
    let version = |version| Raw {
        version,
        ..sample()
    };
    refused(&version(1), "version", 4, Problem::Version1);
    refused(&version(4), "version", 4, Problem::Version { found: 4 });
    refused(&version(0), "version", 4, Problem::Version { found: 0 });
    refused(
        &version(3 << 24),
        "version",
        4,
        Problem::BigEndian { version: 3 },
    );
    let shown = Gguf::parse(&version(1).build()).unwrap_err().to_string();
    assert!(shown.contains("GGUF version 1"), "{shown}");
    let shown = Gguf::parse(&version(3 << 24).build())
        .unwrap_err()
        .to_string();
    assert!(shown.contains("big-endian GGUF version 3"), "{shown}");
    let shown = Gguf::parse(b"<html>").unwrap_err().to_string();
    assert!(shown.contains("\"<htm\""), "{shown}");
}

#[test]
fn counts_that_the_file_cannot_hold() {
    let rest = (sample().build().len() - 16) as u64;
    let problem = |found, most| Problem::Count { found, most };
    for found in [1 << 20, 1 << 32, 1 << 60, u64::MAX] {
        let raw = Raw {
            tensor_count: Some(found),
            ..sample()
        };
        refused(&raw, "tensor_count", 8, problem(found, rest / 32));
        let raw = Raw {
            metadata_count: Some(found),
            ..sample()
        };
        refused(&raw, "metadata_count", 16, problem(found, (rest - 8) / 13));
        for (item_type, least) in [(0, 1), (3, 2), (6, 4), (12, 8), (7, 1), (8, 8), (9, 12)] {
            let raw = with_entry(entry("k", 9, &array(item_type, found, &[0; 24])));
            let rest = raw.build().len() as u64 - (Raw::ENTRIES + 9 + 4 + 12);
            let at = Raw::ENTRIES + 9 + 4 + 4;
            refused(
                &raw,
                "metadata[0].value.len",
                at,
                problem(found, rest / least),
            );
        }
    }
}

#[test]
fn strings() {
    let long = |length: u64| [&length.to_le_bytes()[..], b"key"].concat();
    for needed in [9000, u64::MAX] {
        let raw = with_entry([long(needed), vec![0; 29]].concat());
        let remaining = raw.build().len() as u64 - 32;
        let problem = Problem::Truncated { needed, remaining };
        refused(&raw, "metadata[0].key", 32, problem);
    }
    let raw = with_entry(entry("k", 8, &string(b"ab\xff")));
    refused(
        &raw,
        "metadata[0].value",
        Raw::ENTRIES + 13,
        Problem::NotUtf8 { valid: 2 },
    );
    let items = [string(b"fine"), string(b"\x80")].concat();
    let raw = with_entry(entry("k", 9, &array(8, 2, &items)));
    let at = Raw::ENTRIES + 13 + 12 + 12;
    refused(
        &raw,
        "metadata[0].value[1]",
        at,
        Problem::NotUtf8 { valid: 0 },
    );
    let mut bad_key = entry("k", 0, &[0]);
    bad_key[8] = 0xc0;
    refused(
        &with_entry(bad_key),
        "metadata[0].key",
        Raw::ENTRIES,
        Problem::NotUtf8 { valid: 0 },
    );
}

#[test]
fn values() {
    let at = Raw::ENTRIES + 9;
    for found in [13, 255, u32::MAX] {
        let problem = Problem::ValueType { found };
        refused(
            &with_entry(entry("k", found, &[0; 8])),
            "metadata[0].type",
            at,
            problem.clone(),
        );
        let raw = with_entry(entry("k", 9, &array(found, 0, &[])));
        refused(&raw, "metadata[0].value.item_type", at + 4, problem);
    }
    let raw = with_entry(entry("k", 7, &[2]));
    refused(
        &raw,
        "metadata[0].value",
        at + 4,
        Problem::Bool { found: 2 },
    );
    let mut deep = array(0, 0, &[]);
    for _ in 0..100 {
        deep = array(9, 1, &deep);
    }
    let (field, offset, problem) = malformed(&with_entry(entry("k", 9, &deep)).build());
    assert_eq!(field, "metadata[0].value[0][0][0][0][0][0][0][0]");
    assert_eq!(
        (offset, problem),
        (at + 4 + 8 * 12, Problem::ArrayDepth { limit: 8 })
    );
    let inner = [array(4, 0, &[]), array(7, 2, &[0, 9])].concat();
    let raw = with_entry(entry("k", 9, &array(9, 2, &inner)));
    refused(
        &raw,
        "metadata[0].value[1][1]",
        at + 4 + 37,
        Problem::Bool { found: 9 },
    );
}

#[test]
fn duplicate_keys_and_names() {
    let mut raw = sample();
    raw.entries.push(entry("u16", 4, &[0; 4]));
    let at = raw.info_at(0) - raw.entries[16].len() as u64;
    refused(
        &raw,
        "metadata[16].key",
        at,
        Problem::Duplicate { first: 2 },
    );
    let shown = Gguf::parse(&raw.build()).unwrap_err().to_string();
    assert!(
        shown.starts_with("metadata[16].key of \"u16\" at byte "),
        "{shown}"
    );
    let mut raw = sample();
    raw.infos.push(info("first.i2_s", &[8], 0, 256));
    refused(
        &raw,
        "tensor_infos[3].name",
        raw.info_at(3),
        Problem::Duplicate { first: 1 },
    );
}
