//! A hand-written file is read correctly.

use qk256::gguf::{GgmlType, Gguf, GgufError, Value, ValueType};

use crate::raw::{Raw, sample};
use testing::test;

#[test]
fn the_sample_reads_as_it_was_laid_out() {
    let raw = sample();
    let bytes = raw.build();
    crate::fuzz::check_gguf(&bytes).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    assert_eq!((gguf.version(), gguf.alignment()), (3, 32));
    let keys: Vec<_> = gguf.metadata().map(|(key, _)| key).collect();
    assert_eq!(keys[..3], ["u8", "i8", "u16"]);
    assert_eq!(keys.len(), 16);
    assert_eq!(gguf.get("i8"), Some(Value::I8(-56)));
    assert_eq!(gguf.get("i16"), Some(Value::I16(-2)));
    assert_eq!(gguf.u32("u32").unwrap(), 0x0403_0201);
    assert_eq!(gguf.value::<i32>("i32").unwrap(), -5);
    assert_eq!(gguf.f32("f32").unwrap(), 1.5);
    assert!(gguf.bool("bool").unwrap());
    assert_eq!(gguf.str("string").unwrap(), "zwölf");
    assert_eq!(gguf.u64("u64").unwrap(), u64::MAX);
    assert_eq!(gguf.value::<f64>("f64").unwrap(), -0.25);
    assert_eq!(gguf.array("numbers").unwrap().get(2), Some(Value::U32(3)));
    assert_eq!(
        gguf.array("strings").unwrap().get(1),
        Some(Value::Str("two"))
    );
    let Some(Value::Array(inner)) = gguf.array("nested").unwrap().get(0) else {
        panic!()
    };
    let Some(Value::Array(innermost)) = inner.get(0) else {
        panic!()
    };
    assert_eq!(
        innermost.iter().collect::<Vec<_>>(),
        [Value::I8(-1), Value::I8(1)]
    );

    let names: Vec<_> = gguf.tensors().map(|tensor| tensor.name()).collect();
    assert_eq!(names, ["last.f32", "first.i2_s", "middle.tq2_0"]);
    let first = gguf.tensor("first.i2_s").unwrap();
    assert_eq!(
        (first.ggml_type(), first.nominal_bytes()),
        (GgmlType::I2_S, None)
    );
    assert_eq!((first.bytes(), first.data()), (&[0x55; 64][..], None));
    let middle = gguf.tensor("middle.tq2_0").unwrap();
    assert_eq!(
        (middle.bytes().len(), middle.data()),
        (128, Some(&[0xaa; 66][..]))
    );
    let last = gguf.tensor("last.f32").unwrap();
    assert_eq!(
        (last.columns(), last.rows(), last.dims()),
        (3, 2, &[3, 2][..])
    );
    assert_eq!(last.bytes(), (0u8..24).collect::<Vec<_>>());
}

#[test]
fn unused_ranges_are_reported() {
    let raw = sample();
    let bytes = raw.build();
    let gguf = Gguf::parse(&bytes).unwrap();
    // The tensor has 66 bytes, padded to 96, in a span of 128.
    let middle = gguf.tensor("middle.tq2_0").unwrap().span();
    let gap = middle.start + 66..middle.end;
    assert_eq!(gguf.unused(), std::slice::from_ref(&gap));
    let last = gguf.tensor("last.f32").unwrap().span();
    for (behind, reported) in [(8, false), (9, true), (5000, true)] {
        let mut longer = bytes.clone();
        longer.resize(bytes.len() + behind, 1);
        let gguf = Gguf::parse(&longer).unwrap();
        let wanted = reported.then_some(last.end..longer.len());
        assert_eq!(gguf.unused().get(1).cloned(), wanted);
        assert_eq!(gguf.tensor("last.f32").unwrap().data().unwrap().len(), 24);
    }
}

#[test]
fn version_2_reads_alike() {
    let raw = Raw {
        version: 2,
        ..sample()
    };
    assert_eq!(Gguf::parse(&raw.build()).unwrap().version(), 2);
}

#[test]
fn getters_name_the_key_and_both_types() {
    let bytes = sample().build();
    let gguf = Gguf::parse(&bytes).unwrap();
    let missing = gguf.u32("llama.block_count").unwrap_err();
    assert!(matches!(&missing, GgufError::MissingKey { key, .. } if key == "llama.block_count"));
    assert!(missing.to_string().contains("\"llama.block_count\""));
    assert_eq!(gguf.optional::<u32>("llama.block_count").unwrap(), None);
    assert_eq!(gguf.optional::<bool>("bool").unwrap(), Some(true));
    for wrong in [
        gguf.u32("u64").unwrap_err(),
        gguf.optional::<u32>("u64").unwrap_err(),
    ] {
        let GgufError::WrongType {
            key,
            found,
            expected,
        } = wrong
        else {
            panic!("{wrong}")
        };
        assert_eq!(
            (key.as_str(), found, expected),
            ("u64", ValueType::U64, "uint32")
        );
    }
    let missing = gguf.tensor("first").unwrap_err();
    assert!(matches!(missing, GgufError::MissingTensor { name } if name == "first"));
    assert!(gguf.find_tensor("").is_none() && gguf.get("").is_none());
}
