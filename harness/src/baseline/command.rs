//! Which command covers what is missing.

use std::collections::BTreeSet;

use super::fact::{Fact, ModelId};
use crate::outcome::Rung;
use crate::synth::{self, DEFAULT_RECIPE};

/// More values of an option than a command names: it then does all of the work.
const MOST_VALUES: usize = 3;

/// Facts that one command covers together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Missing {
    models: BTreeSet<String>,
    rungs: BTreeSet<Rung>,
    kernels: BTreeSet<String>,
    oracles: BTreeSet<String>,
    cases: u64,
    mistakes: bool,
}

impl Missing {
    /// Adds a fact that was there so many times.
    pub(super) fn add(&mut self, fact: Fact<'_>, was: u64) {
        match fact {
            Fact::Kernel(id) => {
                self.kernels.insert(id.into());
            }
            Fact::Tensor { model, .. } => {
                self.models.insert(argument(model));
            }
            Fact::Pair {
                model,
                rung,
                candidate,
                oracle,
            } => {
                self.models.insert(argument(model));
                self.rungs.insert(rung);
                // The forward pass is compared with whatever kernels.
                if !Rung::OF_MODELS.contains(&rung) {
                    self.kernels.insert(candidate.into());
                }
                self.oracles.insert(oracle.into());
            }
            Fact::Fuzz => self.cases = was,
            Fact::Mistake { .. } => self.mistakes = true,
        }
    }

    /// The commands, each of which leaves a receipt.
    pub(super) fn commands(&self) -> String {
        let mut commands = Vec::new();
        if self.cases > 0 {
            commands.push(format!("harness fuzz --cases {}", self.cases));
        }
        if self.mistakes {
            commands.push("harness mistakes".to_owned());
        }
        let rungs: Vec<String> = self.rungs.iter().map(ToString::to_string).collect();
        let mut options = Vec::new();
        if !rungs.is_empty() && rungs.len() < Rung::ALL.len() {
            options.push(format!("--rung {}", rungs.join(",")));
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

/// What a command calls a model: nothing for the default one, a recipe, or a file.
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
        let commands = |facts: &[Fact<'_>]| {
            let mut missing = Missing::default();
            facts.iter().for_each(|fact| missing.add(*fact, 7));
            missing.commands()
        };
        let pair = |name, rung, candidate| Fact::Pair {
            model: ModelId { sha256: "", name },
            rung,
            candidate,
            oracle: "a/b",
        };
        assert_eq!(
            commands(&[pair("tiny-llama-tq2_0", Rung::Block, "tq2_0.avx2")]),
            "`harness check tiny-llama-tq2_0 --rung block --kernel tq2_0.avx2 --oracle a/b --receipt FILE`"
        );
        assert_eq!(
            commands(&[
                pair("own", Rung::Node, "rust"),
                pair("own", Rung::Logits, "rust")
            ]),
            "`harness check own.gguf --rung node,logits --oracle a/b --receipt FILE`"
        );
        assert_eq!(
            commands(&[Fact::Kernel("i2_s.group64.scalar")]),
            "`harness check --kernel i2_s.group64.scalar --receipt FILE`"
        );
        assert_eq!(
            commands(&[Fact::Fuzz]),
            "`harness fuzz --cases 7 --receipt FILE`"
        );
        let mistake = Fact::Mistake {
            mistake: "wrap",
            format: None,
        };
        assert_eq!(commands(&[mistake]), "`harness mistakes --receipt FILE`");
    }
}
