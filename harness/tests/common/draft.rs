//! Edits of the contents of a model file.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use harness::rewrite::{ModelDraft, TensorDraft};
use qk256::gguf::Value;

/// Edits of a draft.
pub(crate) trait Edit<'a>: Sized {
    /// Renames the architecture, in its value and in all keys.
    fn renamed(self, architecture: &'a str) -> Self;

    /// Replaces the value of the metadata key that ends in `suffix`, or removes the key.
    #[track_caller]
    fn set(self, suffix: &str, value: Option<Value<'a>>) -> Self;

    /// Adds a metadata key.
    fn add(self, key: &str, value: impl Into<Value<'a>>) -> Self;

    /// The tensor with this name, for editing.
    #[track_caller]
    fn tensor(&mut self, name: &str) -> &mut TensorDraft<'a>;

    /// Writes the draft to a file.
    fn save(&self, path: &Path);
}

impl<'a> Edit<'a> for ModelDraft<'a> {
    fn renamed(mut self, architecture: &'a str) -> Self {
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

    fn set(mut self, suffix: &str, value: Option<Value<'a>>) -> Self {
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

    fn add(mut self, key: &str, value: impl Into<Value<'a>>) -> Self {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }

    fn tensor(&mut self, name: &str) -> &mut TensorDraft<'a> {
        let found = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("no tensor {name}"))
    }

    fn save(&self, path: &Path) {
        let file = BufWriter::new(File::create(path).expect("the folder can be written"));
        self.write(file).expect("the draft can be written");
    }
}
