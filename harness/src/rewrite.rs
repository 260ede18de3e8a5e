//! GGUF files written anew with something changed: wrong ones on purpose, and those that no recipe describes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

use qk256::gguf::{Builder, GgmlType, Gguf, Tensor, Value, WriteError};

/// What a tensor becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Its new type.
    pub ggml_type: GgmlType,
    /// Its new bytes, which its unchanged dimensions must fit.
    pub data: Vec<u8>,
}

/// What becomes of a tensor of a file, if anything does.
pub type TensorChange<'c> = dyn Fn(&Gguf<'_>, &Tensor<'_>) -> Option<Replacement> + 'c;

/// What is changed in a file.
#[derive(Default)]
pub struct Changes<'c> {
    /// Keys with values that replace those of the file or are added behind them.
    pub metadata: Vec<(&'c str, Value<'c>)>,
    /// What becomes of the tensors.
    pub tensors: Option<&'c TensorChange<'c>>,
}

/// Writes the file to `sink`, changed.
///
/// # Errors
///
/// [`WriteError`] for a replacement that does not fit its tensor, or with what the sink says.
pub fn rewrite<W: Write>(gguf: &Gguf<'_>, changes: &Changes<'_>, sink: W) -> Result<W, WriteError> {
    let mut builder = Builder::default();
    let changed: BTreeSet<&str> = changes.metadata.iter().map(|&(key, _)| key).collect();
    for (key, value) in gguf.metadata().filter(|(key, _)| !changed.contains(key)) {
        builder.metadata(key, value)?;
    }
    for &(key, value) in &changes.metadata {
        builder.metadata(key, value)?;
    }
    let replacement = |tensor: &Tensor<'_>| changes.tensors.and_then(|change| change(gguf, tensor));
    let mut contents = Vec::new();
    for tensor in gguf.tensors() {
        let (ggml_type, data) = match replacement(&tensor) {
            Some(new) => (new.ggml_type, Cow::Owned(new.data)),
            // A type that does not tell its size keeps its whole span.
            None => (
                tensor.ggml_type(),
                Cow::Borrowed(tensor.data().unwrap_or(tensor.bytes())),
            ),
        };
        builder.tensor(tensor.name(), tensor.dims(), ggml_type, data.len() as u64)?;
        contents.push((tensor.name(), data));
    }
    let mut writer = builder.start(sink)?;
    for (name, data) in contents {
        writer = writer.tensor(name, &data)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut builder = Builder::default();
        builder.metadata("a", 1u32).unwrap();
        builder.metadata("b", "text").unwrap();
        builder.tensor("x", &[2], GgmlType::F32, 8).unwrap();
        builder.tensor("y", &[4], GgmlType::F16, 8).unwrap();
        let writer = builder.start(Vec::new()).unwrap();
        let writer = writer.tensor("x", &[1; 8]).unwrap();
        writer.tensor("y", &[2; 8]).unwrap().finish().unwrap()
    }

    #[test]
    fn without_changes_the_bytes_are_the_same() {
        let bytes = file();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(
            rewrite(&gguf, &Changes::default(), Vec::new()).unwrap(),
            bytes
        );
    }

    #[test]
    fn keys_and_tensors_are_replaced_and_the_rest_stays() {
        let bytes = file();
        let gguf = Gguf::parse(&bytes).unwrap();
        let changes = Changes {
            metadata: vec![("a", Value::U32(7)), ("c", Value::Bool(true))],
            tensors: Some(&|_, tensor| {
                (tensor.name() == "y").then(|| Replacement {
                    ggml_type: GgmlType::F32,
                    data: vec![3; 16],
                })
            }),
        };
        let changed = rewrite(&gguf, &changes, Vec::new()).unwrap();
        let changed = Gguf::parse(&changed).unwrap();
        assert_eq!(changed.get("a"), Some(Value::U32(7)));
        assert_eq!(changed.get("b"), Some(Value::Str("text")));
        assert_eq!(changed.get("c"), Some(Value::Bool(true)));
        let data = |name: &str| changed.find_tensor(name).unwrap().data().unwrap();
        assert_eq!((data("x"), data("y")), (&[1; 8][..], &[3; 16][..]));
    }
}
