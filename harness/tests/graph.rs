//! The graph that the shim builds from ggml's operations for architectures that llama.cpp lacks: compared with
//! llama.cpp's graph where it has one, and the files that it refuses.

mod common;

use std::path::{Path, PathBuf};

use common::draft::Edit;
use common::oracles::oracles;
use common::{ORACLE, generate};
use cpp_shim::{Format, Graph, Oracle, OracleError, Session, SessionParams, Status};
use harness::rewrite::{ModelDraft, TensorDraft};
use qk256::gguf::{GgmlType, GgufFile, Value};
use tempfile::{TempDir, tempdir};
use testing::test;

const LLAMA_CPP: &str = "llama.cpp";
const SHIM: &str = "ggml ops of the shim";

/// Recipes whose architecture both graphs support: every format, tails, `.scale` tensors, grouped queries.
const BITNET: [&str; 6] = [
    "tiny-bitnet-i2_s",
    "tiny-bitnet-tq2_0",
    "tiny-bitnet-tq1_0",
    "tail-bitnet-i2_s",
    "tail-bitnet-tq2_0",
    "tail-bitnet-tq1_0",
];

fn params(graph: Graph) -> SessionParams {
    SessionParams {
        n_ctx: 70,
        n_batch: 70,
        n_ubatch: 16,
        graph,
        ..SessionParams::default()
    }
}

/// `n` tokens that are in every small vocabulary.
fn tokens(n: usize) -> Vec<i32> {
    (0..n).map(|i| (i * 37 % 311) as i32).collect()
}

/// A node of a session.
#[derive(Debug, PartialEq)]
struct Seen {
    name: String,
    op: String,
    element: String,
    inputs: Vec<String>,
    ne: [i64; 4],
    nb: [usize; 4],
    data: Vec<u8>,
}

/// All nodes of a decode and the logits of its last token.
fn decode(session: &mut Session, tokens: &[i32]) -> (Vec<Seen>, Vec<u32>) {
    let mut nodes = Vec::new();
    session
        .decode_traced(tokens, &mut |node| {
            nodes.push(Seen {
                name: node.name.to_owned(),
                op: node.op.to_owned(),
                element: node.element.to_owned(),
                inputs: node.inputs.iter().map(|&name| name.to_owned()).collect(),
                ne: node.ne,
                nb: node.nb,
                data: node.data.to_owned(),
            });
        })
        .unwrap();
    let logits = session.logits(session.decoded() - 1).unwrap();
    (nodes, logits.iter().map(|logit| logit.to_bits()).collect())
}

#[track_caller]
fn assert_same(what: &str, found: &(Vec<Seen>, Vec<u32>), wanted: &(Vec<Seen>, Vec<u32>)) {
    let names = |nodes: &[Seen]| -> Vec<String> {
        nodes
            .iter()
            .map(|node| format!("{} {}", node.name, node.op))
            .collect()
    };
    assert_eq!(names(&found.0), names(&wanted.0), "{what}");
    for (found, wanted) in found.0.iter().zip(&wanted.0) {
        assert!(found == wanted, "{what}: node {}", found.name);
    }
    assert!(found.1 == wanted.1, "{what}: logits");
}

/// Runs both graphs on a model: each step rewinds to a position and decodes tokens from there.
fn compare_graphs(oracle: &Oracle, path: &Path, threads: u32, steps: &[(usize, &[i32])]) {
    let open = |graph| {
        let params = SessionParams {
            threads,
            ..params(graph)
        };
        oracle.open(path, &params).unwrap()
    };
    let (mut own, mut theirs) = (open(Graph::Ops), open(Graph::Auto));
    assert_eq!((own.graph(), theirs.graph()), (SHIM, LLAMA_CPP));
    let sizes = |s: &Session| [s.n_batch(), s.n_vocab(), s.n_layer(), s.n_embd()];
    assert_eq!(sizes(&own), sizes(&theirs));
    for &(first, tokens) in steps {
        let what = format!("{} {} from {first}", oracle.id(), path.display());
        own.rewind(first);
        theirs.rewind(first);
        let (mut wanted, mut found) = (decode(&mut theirs, tokens), decode(&mut own, tokens));
        // The shim builds the graph of 2024. Others have the same results in other nodes.
        if oracle.description().upstream != "bitnet.cpp" {
            wanted.0.clear();
            found.0.clear();
        }
        assert_same(&what, &found, &wanted);
    }
}

#[test(needs(ORACLE))]
fn every_node_equals_that_of_llama_cpp() {
    let all = tokens(70);
    // A prompt over several ubatches, a token, the rest of the context, and then a position before.
    let steps = [
        (0, &all[..37]),
        (37, &all[37..38]),
        (38, &all[38..]),
        (50, &all[3..4]),
        (20, &all[5..25]),
    ];
    for oracle in oracles() {
        let folder = tempdir().unwrap();
        let lacks_i2_s = oracle.description().format(Format::I2S).is_none();
        let recipes = BITNET.into_iter();
        for recipe in recipes.filter(|recipe| !(lacks_i2_s && recipe.ends_with("i2_s"))) {
            compare_graphs(&oracle, &generate(recipe, folder.path()), 1, &steps);
        }
    }
}

#[test(needs(ORACLE))]
fn two_threads_give_the_same_results() {
    let all = tokens(18);
    let steps = [(0, &all[..17]), (17, &all[17..])];
    for oracle in oracles() {
        let folder = tempdir().unwrap();
        for recipe in ["tiny-bitnet-tq1_0", "tiny-bitnet-tq2_0"] {
            compare_graphs(&oracle, &generate(recipe, folder.path()), 2, &steps);
        }
    }
}

/// A draft of a small model of `bitnet-b1.58`, and the folder for files made from it.
struct Bench {
    file: GgufFile,
    folder: TempDir,
}

impl Bench {
    fn new(recipe: &str) -> Bench {
        let folder = tempdir().unwrap();
        let file = GgufFile::open(&generate(recipe, folder.path())).unwrap();
        Bench { file, folder }
    }

    fn draft(&self) -> ModelDraft<'_> {
        ModelDraft::of(&self.file.view())
    }

    fn write(&self, draft: &ModelDraft<'_>) -> PathBuf {
        let path = self.folder.path().join("changed.gguf");
        draft.save(&path);
        path
    }
}

#[test(needs(ORACLE))]
fn the_older_name_is_the_same_model_and_relu_squared_is_not_silu() {
    // With `.scale` tensors, which no recipe of the architecture has.
    let bench = Bench::new("tiny-bitnet-tq2_0");
    let tokens = tokens(20);
    for oracle in oracles() {
        let run = |architecture| {
            let path = bench.write(&bench.draft().renamed(architecture));
            let mut session = oracle.open(&path, &params(Graph::Auto)).unwrap();
            (session.graph().to_owned(), decode(&mut session, &tokens))
        };
        let (graph, new) = run("bitnet-b1.58");
        assert_eq!(graph, SHIM);
        let (graph, old) = run("bitnet-25");
        assert_eq!(graph, SHIM);
        assert_same(oracle.id(), &old, &new);
        let (graph, other) = run("bitnet");
        assert_eq!(graph, LLAMA_CPP);
        assert!(other.1 != new.1);
    }
}

fn refusal(oracle: &Oracle, path: &Path, graph: Graph) -> (Status, String) {
    match oracle.open(path, &params(graph)).unwrap_err() {
        OracleError::Refused {
            status, message, ..
        } => (status, message),
        other => panic!("{other}"),
    }
}

#[test(needs(ORACLE))]
fn the_graph_is_not_built_for_other_architectures() {
    for oracle in oracles() {
        let folder = tempdir().unwrap();
        let path = generate("tiny-llama-tq2_0", folder.path());
        let (status, message) = refusal(&oracle, &path, Graph::Ops);
        assert_eq!(status, Status::Unsupported);
        assert!(message.contains("architecture llama"), "{message}");
    }
}

/// A malformed draft, the status of its refusal, and a part of the message.
type Spoilt<'a> = (ModelDraft<'a>, Status, &'static str);

fn spoilt<'a>(bench: &'a Bench, oracle: &Oracle) -> Vec<Spoilt<'a>> {
    let draft = || bench.draft();
    let set = |suffix: &str, value: Value<'static>| draft().set(suffix, Some(value));
    let without = |suffix: &str| draft().set(suffix, None);
    let tensor = |name: &str, edit: &dyn Fn(&mut TensorDraft<'_>)| {
        let mut draft = draft();
        edit(draft.tensor(name));
        draft
    };
    let without_tensor = |name: &str| {
        let mut draft = draft();
        draft.tensors.retain(|tensor| tensor.name != name);
        draft
    };
    let with_surplus_tensor = || {
        let mut draft = draft();
        let mut copy = draft.tensor("output_norm.weight").clone();
        copy.name = "rope_freqs.weight".to_owned();
        draft.tensors.push(copy);
        draft
    };
    use Status::{File, Unsupported};
    let no_norm = "blk.1.ffn_sub_norm.weight";
    // Upstreams without I2_S have a name of another type for its number.
    let embedding = match oracle.description().format(Format::I2S) {
        Some(_) => (Unsupported, "token_embd.weight is of type i2_s"),
        None => (File, "token_embd.weight' of type 36"),
    };
    vec![
        (without_tensor(no_norm), File, no_norm),
        (
            with_surplus_tensor(),
            File,
            "25 tensors, of which architecture bitnet-b1.58 has a use for 24",
        ),
        (
            set("block_count", Value::U32(3)),
            File,
            "blk.2.attn_norm.weight",
        ),
        (
            set("block_count", Value::U32(u32::MAX)),
            File,
            "block_count is 4294967295",
        ),
        (set("block_count", Value::U32(0)), File, "block_count is 0"),
        (
            set("block_count", Value::Str("2")),
            File,
            "is of type str, must be u32",
        ),
        (without("block_count"), File, "no bitnet-b1.58.block_count"),
        (set("head_count", Value::U32(0)), File, "head_count is 0"),
        (set("head_count", Value::U32(3)), File, "head_count"),
        (set("head_count_kv", Value::U32(3)), File, "must divide"),
        (
            set("layer_norm_rms_epsilon", Value::F32(0.0)),
            File,
            "rms_epsilon is 0",
        ),
        (
            set("layer_norm_rms_epsilon", Value::F32(f32::NAN)),
            File,
            "rms_epsilon is",
        ),
        (
            set("vocab_size", Value::U32(321)),
            File,
            "token_embd.weight",
        ),
        (
            draft().add("bitnet-b1.58.rope.scaling.type", "yarn"),
            Unsupported,
            "rope.scaling.type is yarn",
        ),
        (
            draft()
                .add("bitnet-b1.58.attention.key_length", 63u32)
                .add("bitnet-b1.58.attention.value_length", 63u32),
            File,
            "rope.dimension_count",
        ),
        (
            tensor("blk.0.ffn_up.weight", &|t| t.dims.reverse()),
            File,
            "blk.0.ffn_up.weight is 768 x 256",
        ),
        (
            tensor("output_norm.weight", &|t| {
                t.ggml_type = GgmlType::F16;
                t.bytes.to_mut().truncate(512);
            }),
            File,
            "output_norm.weight is of type f16",
        ),
        (
            tensor("blk.1.attn_k.weight", &|t| {
                t.ggml_type = GgmlType::Q8_K;
                let elements = t.dims.iter().product::<usize>();
                t.bytes = vec![0; elements / 256 * 292].into();
            }),
            Unsupported,
            "blk.1.attn_k.weight is of type q8_K",
        ),
        (
            tensor("token_embd.weight", &|t| {
                t.ggml_type = GgmlType::I2_S;
                let elements = t.dims.iter().product::<usize>();
                t.bytes = vec![0; elements / 4 + 32].into();
            }),
            embedding.0,
            embedding.1,
        ),
    ]
}

#[test(needs(ORACLE))]
fn malformed_files_are_refused_with_the_location() {
    let bench = Bench::new("tiny-bitnet-b1.58-tq2_0");
    for oracle in oracles() {
        // The unchanged draft is valid.
        oracle
            .open(&bench.write(&bench.draft()), &params(Graph::Auto))
            .unwrap();
        for (draft, status, words) in spoilt(&bench, &oracle) {
            let (found, message) = refusal(&oracle, &bench.write(&draft), Graph::Auto);
            assert_eq!(found, status, "{message}");
            assert!(message.contains(words), "{message}: no {words:?}");
        }
    }
}

#[test(needs(ORACLE))]
fn a_file_that_ends_early_is_refused_and_names_the_tensor() {
    let bench = Bench::new("tiny-bitnet-b1.58-tq2_0");
    let whole = bench.file.view().bytes();
    let last = bench
        .file
        .view()
        .tensors()
        .last()
        .unwrap()
        .name()
        .to_owned();
    for oracle in oracles() {
        let path = bench.folder.path().join("cut.gguf");
        std::fs::write(&path, &whole[..whole.len() - 64]).unwrap();
        let (status, message) = refusal(&oracle, &path, Graph::Auto);
        assert_eq!(status, Status::File);
        assert!(message.contains(&last), "{message}");
    }
}

#[test(needs(ORACLE))]
fn an_aborted_decode_leaves_no_trace() {
    let tokens = tokens(40);
    for oracle in oracles() {
        for recipe in ["tiny-bitnet-b1.58-tq2_0", "tiny-bitnet-tq2_0"] {
            let folder = tempdir().unwrap();
            let path = generate(recipe, folder.path());
            let open = || oracle.open(&path, &params(Graph::Auto)).unwrap();
            let (mut stopped, mut fresh) = (open(), open());
            let mut seen = 0;
            let stop = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                stopped.decode_traced(&tokens, &mut |node| {
                    seen += 1;
                    assert_ne!(node.name, "Vcur-1");
                })
            }));
            assert!(stop.is_err() && seen > 1);
            assert_eq!(stopped.decoded(), 0);
            let run = |session: &mut Session| {
                let (mut nodes, logits) = decode(session, &tokens[..10]);
                // Nodes in the f16 cache and raw scores contain masked values too. Nodes without a name can be views
                // of them, or belong to a branch that is not computed.
                let is_computed = |name: &str| {
                    let unnamed = name.starts_with("node_") || name.starts_with(' ');
                    !unnamed && !name.starts_with("kq-")
                };
                nodes.retain(|node| node.element == "f32" && is_computed(&node.name));
                (nodes, logits)
            };
            let what = format!("{} {recipe}", oracle.id());
            assert_same(&what, &run(&mut stopped), &run(&mut fresh));
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
