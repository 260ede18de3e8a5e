//! Edits of what a model file holds.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use harness::rewrite::{ModelDraft, TensorDraft};
use qk256::gguf::Value;

/// What tests do to a draft.
pub(crate) trait Edit<'a>: Sized {
    /// The same model under another architecture's name, in its value and in all keys.
    fn renamed(self, architecture: &'a str) -> Self;

    /// Gives the metadata key that ends in `suffix` another value, or takes it out.
    #[track_caller]
    fn set(self, suffix: &str, value: Option<Value<'a>>) -> Self;

    /// Adds a metadata key.
    fn add(self, key: &str, value: impl Into<Value<'a>>) -> Self;

    /// The tensor of this name, to be edited.
    #[track_caller]
    fn tensor(&mut self, name: &str) -> &mut TensorDraft<'a>;

    /// Writes it to a file.
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
