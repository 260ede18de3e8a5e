//! Model files with something changed: what a file holds, as lists that a test edits.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use qk256::gguf::{Builder, GgmlType, Gguf, Value};

/// The content of a model file.
#[derive(Clone)]
pub(crate) struct Draft<'a> {
    pub(crate) metadata: Vec<(String, Value<'a>)>,
    pub(crate) tensors: Vec<DraftTensor<'a>>,
}

/// A tensor of it.
#[derive(Clone)]
pub(crate) struct DraftTensor<'a> {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) ggml_type: GgmlType,
    pub(crate) bytes: Cow<'a, [u8]>,
}

impl<'a> Draft<'a> {
    /// All that `file` holds.
    pub(crate) fn of(file: &Gguf<'a>) -> Draft<'a> {
        let tensor = |tensor: qk256::gguf::Tensor<'a>| DraftTensor {
            name: tensor.name().to_owned(),
            dims: tensor.dims().to_vec(),
            ggml_type: tensor.ggml_type(),
            bytes: tensor.data().unwrap_or(tensor.bytes()).into(),
        };
        Draft {
            metadata: file
                .metadata()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            tensors: file.tensors().map(tensor).collect(),
        }
    }

    /// The same model under another architecture's name, in its value and in all keys.
    pub(crate) fn renamed(mut self, architecture: &'a str) -> Draft<'a> {
        const KEY: &str = "general.architecture";
        let named = self.metadata.iter().find(|(key, _)| key == KEY);
        let Some((_, Value::Str(old))) = named else {
            panic!("no {KEY}")
        };
        let prefix = format!("{old}.");
        for (key, value) in &mut self.metadata {
            if key == KEY {
                *value = Value::Str(architecture);
            } else if let Some(rest) = key.strip_prefix(&prefix) {
                *key = format!("{architecture}.{rest}");
            }
        }
        self
    }

    /// Gives the metadata key that ends in `suffix` another value, or takes it out.
    #[track_caller]
    pub(crate) fn set(mut self, suffix: &str, value: Option<Value<'a>>) -> Draft<'a> {
        let found = self
            .metadata
            .iter()
            .position(|(key, _)| key.ends_with(suffix));
        let at = found.unwrap_or_else(|| panic!("no key that ends in {suffix}"));
        match value {
            Some(value) => self.metadata[at].1 = value,
            None => drop(self.metadata.remove(at)),
        }
        self
    }

    /// Adds a metadata key.
    pub(crate) fn add(mut self, key: &str, value: impl Into<Value<'a>>) -> Draft<'a> {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }

    /// The tensor of this name, to be edited.
    #[track_caller]
    pub(crate) fn tensor(&mut self, name: &str) -> &mut DraftTensor<'a> {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("no tensor {name}"))
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) {
        let mut builder = Builder::default();
        for (key, value) in &self.metadata {
            builder.metadata(key, *value).unwrap();
        }
        for DraftTensor {
            name,
            dims,
            ggml_type,
            bytes,
        } in &self.tensors
        {
            builder
                .tensor(name, dims, *ggml_type, bytes.len() as u64)
                .unwrap();
        }
        let file = BufWriter::new(File::create(path).unwrap());
        let mut writer = builder.start(file).unwrap();
        for tensor in &self.tensors {
            writer = writer.tensor(&tensor.name, &tensor.bytes).unwrap();
        }
        writer.finish().unwrap();
    }
}
