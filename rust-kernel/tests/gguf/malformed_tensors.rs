//! Each kind of damage to tensor infos and data offsets is reported with its field, its offset and the value found.

use qk256::gguf::{GgmlType, Gguf, MAX_DIMS, Problem, ValueType};

use crate::raw::{Raw, entry, info, refused, sample, with_entry};
use testing::test;

/// A file of these tensors and `data` bytes.
fn with_infos(infos: Vec<Vec<u8>>, data: usize) -> Raw {
    Raw::new(Vec::new(), infos, vec![0; data])
}

#[test]
fn alignment() {
    let alignment = |value: u32| entry("general.alignment", 4, &value.to_le_bytes());
    let at = Raw::ENTRIES + 8 + 17 + 4;
    for found in [0, 1, 3, 4, 12, 33, u32::MAX] {
        let problem = Problem::Alignment { found };
        refused(
            &with_entry(alignment(found)),
            "metadata[0].value",
            at,
            problem,
        );
    }
    let raw = with_entry(entry("general.alignment", 10, &64u64.to_le_bytes()));
    let problem = Problem::AlignmentType {
        found: ValueType::U64,
    };
    refused(&raw, "metadata[0].value", at, problem);
    for good in [8u32, 64, 1024] {
        let far = u64::from(good);
        let raw = Raw {
            alignment: good as usize,
            ..Raw::new(
                vec![alignment(good)],
                vec![info("a", &[2], 0, 0), info("b", &[2], 0, far)],
                vec![7; good as usize + 8],
            )
        };
        let bytes = raw.build();
        crate::fuzz::check_gguf(&bytes).unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.alignment(), good as usize);
        assert_eq!(gguf.tensor("a").unwrap().bytes().len(), good as usize);
        assert_eq!(gguf.tensor("b").unwrap().bytes(), [7; 8]);
    }
    // A huge alignment places the data past the end of the file. Nothing is allocated for it.
    let raw = Raw::new(
        vec![alignment(1 << 31)],
        vec![info("a", &[2], 0, 0)],
        vec![0; 8],
    );
    let problem = Problem::OutsideFile {
        found: 0,
        available: 0,
    };
    refused(
        &raw,
        "tensor_infos[0].offset",
        raw.info_at(0) + 9 + 4 + 8 + 4,
        problem,
    );
}

#[test]
fn dimensions() {
    let at = Raw::ENTRIES + 9;
    let one = |dims: &[u64], type_id| with_infos(vec![info("w", dims, type_id, 0)], 4096);
    let count = |found| Problem::DimensionCount {
        found,
        most: MAX_DIMS,
    };
    refused(&one(&[], 0), "tensor_infos[0].n_dims", at, count(0));
    refused(&one(&[1; 5], 0), "tensor_infos[0].n_dims", at, count(5));
    let mut many = info("w", &[1], 0, 0);
    many[9..13].fill(0xff);
    let raw = with_infos(vec![many], 64);
    refused(&raw, "tensor_infos[0].n_dims", at, count(u32::MAX.into()));
    refused(
        &one(&[4, 0, 4], 0),
        "tensor_infos[0].dims[1]",
        at + 12,
        Problem::ZeroDimension,
    );
    for dims in [
        &[1 << 32, 1 << 32][..],
        &[u64::MAX; 4],
        &[1 << 31, 1 << 31, 2],
    ] {
        refused(
            &one(dims, 36),
            "tensor_infos[0].dims",
            at + 4,
            Problem::DimensionOverflow,
        );
    }
    refused(
        &one(&[1 << 62], 0),
        "tensor_infos[0].dims",
        at + 4,
        Problem::DimensionOverflow,
    );
    let problem = Problem::PartialBlock {
        columns: 128,
        block: 256,
        ggml_type: GgmlType::TQ2_0,
    };
    refused(
        &one(&[128, 2], 35),
        "tensor_infos[0].dims[0]",
        at + 4,
        problem,
    );
    assert!(Gguf::parse(&one(&[128, 2], 36).build()).is_ok());
}

#[test]
fn unknown_tensor_types() {
    let mut raw = sample();
    for found in [4, 5, 43, u32::MAX] {
        raw.infos[1] = info("first.i2_s", &[128, 1], found, 0);
        let at = raw.info_at(1) + 8 + 10 + 4 + 16;
        refused(
            &raw,
            "tensor_infos[1].type",
            at,
            Problem::UnknownType { found },
        );
        let shown = Gguf::parse(&raw.build()).unwrap_err().to_string();
        let (name, id) = ("of \"first.i2_s\"", format!("id {found}"));
        assert!(shown.contains(name) && shown.contains(&id), "{shown}");
    }
}

#[test]
fn ids_that_forks_use_for_two_types() {
    // 64 weights of q2_0 take 18 bytes.
    let one = |ggml_type, bytes| with_infos(vec![info("a", &[64], ggml_type, 0)], bytes);
    assert!(Gguf::parse(&one(42, 18).build()).is_ok());
    let error = Gguf::parse(&one(42, 17).build()).unwrap_err().to_string();
    for part in [
        "17 bytes, expected 18 for type q2_0",
        "id 42 is also a 2-bit type",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = Gguf::parse(&one(39, 33).build()).unwrap_err().to_string();
    assert!(
        error.contains("mxfp4") && error.contains("tl2 of bitnet.cpp"),
        "{error}"
    );
}

#[test]
fn offsets() {
    let two = |first, second| {
        with_infos(
            vec![info("a", &[8, 2], 0, first), info("b", &[4], 0, second)],
            96,
        )
    };
    let at = |index| two(0, 64).info_at(index) + 9 + 4 + 8 * (2 - index as u64) + 4;
    assert!(Gguf::parse(&two(0, 64).build()).is_ok());
    for found in [1, 8, 31, 65, u64::MAX] {
        let problem = Problem::Misaligned {
            found,
            alignment: 32,
        };
        refused(&two(0, found), "tensor_infos[1].offset", at(1), problem);
    }
    for found in [96, 128, 1 << 40, u64::MAX - 31] {
        let problem = Problem::OutsideFile {
            found,
            available: 96,
        };
        refused(&two(found, 64), "tensor_infos[0].offset", at(0), problem);
    }
    let overlap = |next: &str, span| Problem::Overlap {
        next: next.to_owned(),
        span,
        needed: 64,
    };
    refused(
        &two(0, 32),
        "tensor_infos[0].offset",
        at(0),
        overlap("b", 32),
    );
    refused(
        &two(32, 32),
        "tensor_infos[0].offset",
        at(0),
        overlap("b", 0),
    );
    let problem = Problem::DataCutShort {
        span: 32,
        needed: 64,
    };
    refused(&two(64, 0), "tensor_infos[0].offset", at(0), problem);
    let shown = Gguf::parse(&two(0, 32).build()).unwrap_err().to_string();
    assert!(
        shown.contains("of \"a\"") && shown.contains("tensor \"b\""),
        "{shown}"
    );
    // Tensors of unknown size overlap only if they start at the same offset.
    let same = with_infos(vec![info("a", &[4], 36, 32), info("b", &[4], 36, 32)], 64);
    let problem = Problem::Overlap {
        next: "b".to_owned(),
        span: 0,
        needed: 1,
    };
    refused(
        &same,
        "tensor_infos[0].offset",
        same.info_at(0) + 25,
        problem,
    );
}
