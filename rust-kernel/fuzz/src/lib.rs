//! Properties that must hold for arbitrary bytes. The fuzz targets and the tests of `qk256` share this code.

use qk256::gguf::{Gguf, GgufError, Value};

/// Parses `bytes` as a GGUF file and reads all metadata and tensors.
///
/// # Errors
///
/// The reader's error if `bytes` are not a valid GGUF file.
///
/// # Panics
///
/// If the reader violates its contract: an error without a field or with an offset past the end, an entry that a lookup
/// by its own name does not find, or a tensor that is misaligned, too short, outside the file, or overlaps another.
pub fn check_gguf(bytes: &[u8]) -> Result<(), GgufError> {
    let gguf = Gguf::parse(bytes).inspect_err(|error| check_error(error, bytes.len()))?;
    let metadata: Vec<_> = gguf.metadata().collect();
    assert_eq!(metadata.len(), gguf.metadata_count());
    for (key, value) in metadata {
        let found = gguf.get(key).expect("a key finds its entry");
        assert_eq!(found.value_type(), value.value_type());
        check_value(&value);
    }
    let mut spans = Vec::new();
    for tensor in gguf.tensors() {
        let found = gguf.tensor(tensor.name()).expect("a name finds its tensor");
        let span = tensor.span();
        assert_eq!(found.span(), span);
        assert_eq!(bytes[span.clone()], *tensor.bytes());
        assert!(span.start >= gguf.data_start() && !span.is_empty());
        assert_eq!((span.start - gguf.data_start()) % gguf.alignment(), 0);
        assert_eq!(tensor.data().map(<[u8]>::len), tensor.nominal_bytes());
        assert_eq!(tensor.rows() * tensor.columns(), tensor.shape().elements());
        assert!(tensor.ggml_type().is_known());
        spans.push(span);
    }
    assert_eq!(spans.len(), gguf.tensor_count());
    spans.sort_unstable_by_key(|span| span.start);
    for pair in spans.windows(2) {
        assert_eq!(pair[0].end, pair[1].start);
    }
    assert!(spans.last().is_none_or(|span| span.end == bytes.len()));
    Ok(())
}

fn check_error(error: &GgufError, length: usize) {
    let GgufError::Malformed { field, offset, .. } = error else {
        panic!("bytes in memory can only be malformed: {error}");
    };
    assert!(!field.is_empty() && *offset <= length as u64, "{error}");
    let line = error.to_string();
    assert!(!line.contains('\n') && line.contains("expected"), "{line}");
}

fn check_value(value: &Value<'_>) {
    let Value::Array(array) = value else { return };
    let mut items = 0;
    for item in array.iter() {
        assert_eq!(item.value_type(), array.item_type());
        check_value(&item);
        items += 1;
    }
    assert_eq!(items, array.len());
    assert!(array.get(items).is_none());
}
