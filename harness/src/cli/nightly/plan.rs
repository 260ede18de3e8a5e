//! The steps of a nightly run: a check of every recipe and all other commands.

use std::path::Path;
use std::time::Duration;

use super::step::Step;
use crate::cli::CliError;
use crate::shard::Shard;
use crate::synth::{self, Plan};

/// The extent of a nightly run.
pub(super) struct Extent<'a> {
    /// The requested recipes; all if empty.
    pub(super) recipes: &'a [String],
    /// Time limit of the fuzzer.
    pub(super) fuzz_time: Duration,
    /// Number of random cases instead of a time limit.
    pub(super) fuzz_cases: Option<u64>,
    /// Whether mutants are run.
    pub(super) mutants: bool,
    /// Whether kernels and a model are timed.
    pub(super) bench: bool,
    /// Whether the benches run with `--quick`.
    pub(super) quick_bench: bool,
}

/// The steps of a shard. Inputs of findings are written to `findings`. Steps are distributed over the shards, the
/// longest first, so that no shard gets all long ones. Every shard runs its part of the random cases.
///
/// # Errors
///
/// [`CliError::Synth`] for an unknown recipe.
pub(super) fn plan(
    extent: &Extent<'_>,
    shard: Shard,
    findings: &Path,
) -> Result<Vec<Step>, CliError> {
    let step = |name: &str, command: &[&str]| Step {
        name: name.into(),
        recipe: None,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
    };
    let recipes = by_size(extent.recipes)?;
    let mut whole = Vec::new();
    match recipes.last() {
        Some((_, smallest)) if extent.bench && extent.quick_bench => {
            let model = format!("--model={smallest}");
            whole.push(step("bench-model", &["bench", &model, "--quick"]));
            whole.push(step("bench", &["bench", "--quick"]));
        }
        _ if extent.bench => {
            whole.push(step("bench-model", &["bench", "--model"]));
            whole.push(step("bench", &["bench"]));
        }
        _ => {}
    }
    if extent.mutants {
        whole.push(step("mutants", &["mutants"]));
    }
    for (name, recipe) in recipes {
        whole.push(Step {
            recipe: Some(recipe),
            ..step(&format!("check-{name}"), &["check"])
        });
    }
    let mut steps: Vec<Step> = shard.part(whole).collect();
    // Checks run first and benches last, so that an interruption loses only times.
    steps.sort_by_key(|step| std::cmp::Reverse(step.recipe.is_some()));
    let limit = match extent.fuzz_cases {
        Some(cases) => format!("--cases={cases}"),
        None => format!("--time={}", humantime::format_duration(extent.fuzz_time)),
    };
    let out = format!("--out={}", findings.display());
    let mut fuzz = step("fuzz", &["fuzz", &limit, &out]);
    if shard != Shard::WHOLE {
        fuzz.name = format!("fuzz-{}-of-{}", shard.index, shard.count);
        fuzz.command.push(format!("--shard={shard}"));
    }
    steps.push(fuzz);
    Ok(steps)
}

/// The recipes with their names and as given on the command line, the largest model first.
fn by_size(asked_for: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let names: Vec<String> = match asked_for {
        [] => synth::embedded()
            .into_iter()
            .map(|(name, _)| name.to_owned())
            .collect(),
        names => names.to_vec(),
    };
    let mut sized = Vec::new();
    for name in names {
        let plan = Plan::new(synth::find(&name)?)?;
        let short = plan.recipe().name().to_owned();
        sized.push((std::cmp::Reverse(plan.file_bytes()), short, name));
    }
    sized.sort_unstable();
    sized.dedup();
    Ok(sized
        .into_iter()
        .map(|(_, short, name)| (short, name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Extent<'static> = Extent {
        recipes: &[],
        fuzz_time: Duration::from_secs(600),
        fuzz_cases: None,
        mutants: true,
        bench: true,
        quick_bench: false,
    };

    fn names(shard: Shard) -> Vec<String> {
        let steps = plan(&EVERYTHING, shard, Path::new("findings")).unwrap();
        steps.into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_nightly_run_has_every_recipe_and_every_kind_of_work() {
        let names = names(Shard::WHOLE);
        for (recipe, _) in synth::embedded() {
            assert!(names.contains(&format!("check-{recipe}")), "{recipe}");
        }
        for work in ["fuzz", "mutants", "bench", "bench-model"] {
            assert!(names.iter().any(|name| name == work), "{work}");
        }
    }

    #[test]
    fn shards_share_all_steps_and_each_fuzzes() {
        for count in 1..5 {
            let shards = (1..=count).map(|index| Shard { index, count });
            let mut all: Vec<String> = shards.flat_map(names).collect();
            assert_eq!(
                all.iter().filter(|name| name.starts_with("fuzz")).count() as u64,
                count
            );
            all.retain(|name| !name.starts_with("fuzz"));
            all.sort_unstable();
            let mut whole = names(Shard::WHOLE);
            whole.retain(|name| !name.starts_with("fuzz"));
            whole.sort_unstable();
            assert_eq!(all, whole);
        }
    }

    #[test]
    fn an_unknown_recipe_is_named() {
        let recipes = ["no-such-recipe".to_owned()];
        let extent = Extent {
            recipes: &recipes,
            ..EVERYTHING
        };
        let error = plan(&extent, Shard::WHOLE, Path::new("findings"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no-such-recipe"), "{error}");
    }
}
