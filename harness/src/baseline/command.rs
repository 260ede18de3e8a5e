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
            Entry::Pair(pair) => {
                self.models.insert(argument(pair.model));
                self.levels.insert(pair.level);
                // Levels that run a model do not depend on the requested kernels.
                if !Level::OF_MODELS.contains(&pair.level) {
                    self.kernels.insert(pair.candidate.into());
                }
                self.oracles.insert(pair.oracle.into());
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
    use crate::baseline::Compared;

    #[test]
    fn a_command_names_what_is_missing_and_no_more() {
        let commands = |entries: &[Entry<'_>]| {
            let mut missing = Missing::default();
            entries.iter().for_each(|entry| missing.add(*entry, 7));
            missing.commands()
        };
        let pair = |name, level, candidate| {
            let model = ModelId { sha256: "", name };
            Entry::Pair(Compared {
                model,
                level,
                candidate,
                oracle: "a/b",
            })
        };
        let of_block = [pair("tiny-llama-tq2_0", Level::Block, "tq2_0.avx2")];
        let of_models = [Level::Node, Level::Logits].map(|level| pair("own", level, "rust"));
        let (mutant, format) = ("wrap", None);
        let cases: [(&[Entry<'_>], &str); 5] = [
            (
                &of_block,
                "check tiny-llama-tq2_0 --level block --kernel tq2_0.avx2 --oracle a/b",
            ),
            (
                &of_models,
                "check own.gguf --level node,logits --oracle a/b",
            ),
            (
                &[Entry::Kernel("i2_s.group64.scalar")],
                "check --kernel i2_s.group64.scalar",
            ),
            (&[Entry::Fuzz], "fuzz --cases 7"),
            (&[Entry::Mutant { mutant, format }], "mutants"),
        ];
        for (entries, command) in cases {
            assert_eq!(
                commands(entries),
                format!("`harness {command} --receipt FILE`")
            );
        }
    }
}
