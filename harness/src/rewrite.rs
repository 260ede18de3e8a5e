//! The contents of a GGUF file as lists that can be edited and written again. Used for malformed files and for files
//! that no recipe describes.

use std::borrow::Cow;
use std::io::Write;

use qk256::gguf::{Builder, GgmlType, Gguf, Tensor, Value, WriteError};

/// The content of a model file.
#[derive(Debug, Clone)]
pub struct ModelDraft<'a> {
    /// Keys and values, in the order of the file.
    pub metadata: Vec<(String, Value<'a>)>,
    /// Tensors, in the order of the file.
    pub tensors: Vec<TensorDraft<'a>>,
}

/// A tensor of the file.
#[derive(Debug, Clone)]
pub struct TensorDraft<'a> {
    /// Name.
    pub name: String,
    /// Elements along each dimension, the contiguous one first.
    pub dims: Vec<usize>,
    /// Type.
    pub ggml_type: GgmlType,
    /// Data. Its size must fit dimensions and type when the file is written.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> ModelDraft<'a> {
    /// The contents of a file.
    pub fn of(gguf: &Gguf<'a>) -> ModelDraft<'a> {
        let tensor = |tensor: Tensor<'a>| TensorDraft {
            name: tensor.name().to_owned(),
            dims: tensor.dims().to_vec(),
            ggml_type: tensor.ggml_type(),
            // A tensor whose type has no known size keeps all bytes up to the next tensor.
            bytes: tensor.data().unwrap_or(tensor.bytes()).into(),
        };
        let metadata = gguf.metadata();
        ModelDraft {
            metadata: metadata
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            tensors: gguf.tensors().map(tensor).collect(),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// [`WriteError`] for contents that no file can hold, such as data that do not fit their tensor, and for errors of
    /// the sink.
    pub fn write<W: Write>(&self, sink: W) -> Result<W, WriteError> {
        let mut builder = Builder::default();
        for (key, value) in &self.metadata {
            builder.metadata(key, *value)?;
        }
        for tensor in &self.tensors {
            let bytes = tensor.bytes.len() as u64;
            builder.tensor(&tensor.name, &tensor.dims, tensor.ggml_type, bytes)?;
        }
        let mut writer = builder.start(sink)?;
        for tensor in &self.tensors {
            writer = writer.tensor(&tensor.name, &tensor.bytes)?;
        }
        writer.finish()
    }
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
        let draft = ModelDraft::of(&gguf);
        assert_eq!(draft.write(Vec::new()).unwrap(), bytes);
    }

    #[test]
    fn keys_and_tensors_are_replaced_and_the_rest_stays() {
        let bytes = file();
        let gguf = Gguf::parse(&bytes).unwrap();
        let mut draft = ModelDraft::of(&gguf);
        draft.metadata[0].1 = Value::U32(7);
        draft.metadata.push(("c".to_owned(), Value::Bool(true)));
        draft.tensors[1].ggml_type = GgmlType::F32;
        draft.tensors[1].bytes = vec![3; 16].into();
        let changed = draft.write(Vec::new()).unwrap();
        let changed = Gguf::parse(&changed).unwrap();
        assert_eq!(changed.get("a"), Some(Value::U32(7)));
        assert_eq!(changed.get("b"), Some(Value::Str("text")));
        assert_eq!(changed.get("c"), Some(Value::Bool(true)));
        let data = |name: &str| changed.find_tensor(name).unwrap().data().unwrap();
        assert_eq!((data("x"), data("y")), (&[1; 8][..], &[3; 16][..]));
    }
}
