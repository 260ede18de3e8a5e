//! Synthetic models: the corpus, its bytes, its readers, and errors of invalid recipes.

mod corpus;
mod files;
#[path = "../../../cpp-shim/tests/common/needs.rs"]
mod needs;
mod refusals;
mod values;

use harness::synth::{Content, Plan, Recipe, Ternary, embedded, find, write_to};
use qk256::format::{Format, RawTensor, Weights};
use qk256::gguf::{Gguf, Tensor};
use sha2::{Digest, Sha256};

/// Only files below this size are generated in tests, because larger ones take long.
const SMALL: u64 = 8 << 20;

fn plan(name: &str) -> Plan {
    find(name)
        .and_then(Plan::new)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn small_plans() -> Vec<(&'static str, Plan)> {
    let plans = embedded().into_iter().map(|(name, _)| (name, plan(name)));
    plans
        .filter(|(_, plan)| plan.file_bytes() < SMALL)
        .collect()
}

fn bytes_of(plan: &Plan) -> Vec<u8> {
    write_to(plan, Vec::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn raw<'a>(tensor: &Tensor<'a>) -> RawTensor<'a> {
    RawTensor {
        ggml_type: tensor.ggml_type(),
        rows: tensor.rows(),
        cols: tensor.columns(),
        span: tensor.bytes(),
    }
}

/// The ternary tensors of a file according to its reader.
fn ternary<'a>(plan: &Plan, gguf: &Gguf<'a>) -> Vec<(String, Weights<'a>)> {
    let planned = plan
        .tensors()
        .iter()
        .filter_map(|tensor| match tensor.content {
            Content::Ternary(content) => Some((tensor, content)),
            _ => None,
        });
    planned
        .map(|(planned, content)| {
            let name = planned.name.clone();
            let tensor = gguf.tensor(&name).unwrap();
            let scale = gguf.find_tensor(&name.replace(".weight", ".scale"));
            let layout = content.storage().layout();
            let scale = scale.as_ref().map(raw);
            let weights = Weights::from_tensor(raw(&tensor), layout, gguf.alignment(), scale)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(weights.storage(), content.storage(), "{name}");
            (name, weights)
        })
        .collect()
}

/// The description of the ternary matrices.
fn weights(recipe: &mut Recipe) -> &mut Ternary {
    recipe.weights.as_mut().expect("the matrices are ternary")
}

/// A small recipe in another format. Its feed-forward matrices are generated in several pieces.
fn tiny_in(format: &Format, edit: impl FnOnce(&mut Recipe)) -> Recipe {
    let mut recipe = find("tiny-bitnet-i2_s").unwrap();
    weights(&mut recipe).format = format.id.to_owned();
    recipe.sizes.layers = 1;
    edit(&mut recipe);
    recipe
}

fn main() -> std::process::ExitCode {
    testing::main()
}
