//! The commands that cover missing entries.

use std::collections::BTreeSet;

use super::entry::{Entry, ModelId};
use crate::levels::Level;
use crate::synth::{self, DEFAULT_RECIPE};

/// Maximal number of values of an option. With more values, the option is omitted, so the command covers all of them.
const MOST_VALUES: usize = 3;

/// Missing entries that the same commands cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missing {
    models: BTreeSet<String>,
    levels: BTreeSet<Level>,
    kernels: BTreeSet<String>,
    oracles: BTreeSet<String>,
    cases: u64,
    mutants: bool,
}

impl Missing {
    /// Adds an entry with its count in the old baseline.
    pub(super) fn add(&mut self, entry: Entry<'_>, was: u64) {
        match entry {
            Entry::Kernel(id) => {
                self.kernels.insert(id.into());
            }
            Entry::Tensor { model, .. } => {
                self.models.insert(argument(model));
            }
            Entry::Pair {
                model,
                level,
                candidate,
                oracle,
            } => {
                self.models.insert(argument(model));
                self.levels.insert(level);
                // Levels that run a model do not depend on the requested kernels.
                if !Level::OF_MODELS.contains(&level) {
                    self.kernels.insert(candidate.into());
                }
                self.oracles.insert(oracle.into());
            }
            Entry::Fuzz => self.cases = was,
            Entry::Mutant { .. } => self.mutants = true,
        }
    }

    /// The commands, each of which writes a receipt.
    pub(super) fn commands(&self) -> String {
        let mut commands = Vec::new();
        if self.cases > 0 {
            commands.push(format!("harness fuzz --cases {}", self.cases));
        }
        if self.mutants {
            commands.push("harness mutants".to_owned());
        }
        let levels: Vec<String> = self.levels.iter().map(ToString::to_string).collect();
        let mut options = Vec::new();
        if !levels.is_empty() && levels.len() < Level::ALL.len() {
            options.push(format!("--level {}", levels.join(",")));
        }
        for (option, values) in [("--kernel", &self.kernels), ("--oracle", &self.oracles)] {
            if values.len() <= MOST_VALUES {
                options.extend(values.iter().map(|value| format!("{option} {value}")));
            }
        }
        let models = match self.models.is_empty() && !self.kernels.is_empty() {
            true => BTreeSet::from([String::new()]),
            false => self.models.clone(),
        };
        commands.extend(models.into_iter().map(|model| {
            let words = ["harness check".to_owned(), model, options.join(" ")];
            let words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).collect();
            words.join(" ")
        }));
        let commands = commands
            .iter()
            .map(|command| format!("`{command} --receipt FILE`"));
        commands.collect::<Vec<_>>().join(" and ")
    }
}

/// The argument that names a model: empty for the default model, a recipe, or a file.
fn argument(model: ModelId<'_>) -> String {
    match model.name {
        DEFAULT_RECIPE => String::new(),
        name if synth::find(name).is_ok() => name.into(),
        name => format!("{name}.gguf"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_what_is_missing_and_no_more() {
        let commands = |entries: &[Entry<'_>]| {
            let mut missing = Missing::default();
            entries.iter().for_each(|entry| missing.add(*entry, 7));
            missing.commands()
        };
        let pair = |name, level, candidate| Entry::Pair {
            model: ModelId { sha256: "", name },
            level,
            candidate,
            oracle: "a/b",
        };
        assert_eq!(
            commands(&[pair("tiny-llama-tq2_0", Level::Block, "tq2_0.avx2")]),
            "`harness check tiny-llama-tq2_0 --level block --kernel tq2_0.avx2 --oracle a/b --receipt FILE`"
        );
        assert_eq!(
            commands(&[
                pair("own", Level::Node, "rust"),
                pair("own", Level::Logits, "rust")
            ]),
            "`harness check own.gguf --level node,logits --oracle a/b --receipt FILE`"
        );
        assert_eq!(
            commands(&[Entry::Kernel("i2_s.group64.scalar")]),
            "`harness check --kernel i2_s.group64.scalar --receipt FILE`"
        );
        assert_eq!(
            commands(&[Entry::Fuzz]),
            "`harness fuzz --cases 7 --receipt FILE`"
        );
        let mutant = Entry::Mutant {
            mutant: "wrap",
            format: None,
        };
        assert_eq!(commands(&[mutant]), "`harness mutants --receipt FILE`");
    }
}
