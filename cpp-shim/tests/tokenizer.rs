//! Tests of tokenizing with a small vocabulary: byte tokens and one word.

mod common;

use common::{ORACLE, models_of, oracles, params};
use cpp_shim::{Graph, Session, SessionParams};
use testing::{MODELS, test};

const N_VOCAB: usize = 320;
/// The token for the beginning of a sequence, in upstream's default numbering.
const BOS: i32 = 1;
const FIRST_BYTE: i32 = 3;
const WORD: i32 = FIRST_BYTE + 256;

/// GGUF ids of the value types used here.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn array(key: &str, element: u32, values: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = string(key);
    bytes.extend(ARRAY.to_le_bytes());
    bytes.extend(element.to_le_bytes());
    bytes.extend((N_VOCAB as u64).to_le_bytes());
    bytes.extend(values.flatten());
    bytes
}

fn token(id: i32) -> (String, i32) {
    // Token types: 1 normal, 2 unknown, 3 control, 6 byte.
    match id {
        0 => ("<unk>".into(), 2),
        1 => ("<s>".into(), 3),
        2 => ("</s>".into(), 3),
        FIRST_BYTE..WORD => (format!("<0x{:02X}>", id - FIRST_BYTE), 6),
        // This kind of tokenizer represents a leading space as U+2581.
        WORD => ("\u{2581}a".into(), 1),
        _ => (format!("unused{id}"), 1),
    }
}

/// The model with another `tokenizer.ggml.model` and an added vocabulary.
fn with_vocabulary(model: &[u8]) -> Vec<u8> {
    let ids = || 0..N_VOCAB as i32;
    let kind = [&STRING.to_le_bytes()[..], &string("no_vocab")].concat();
    let key = string("tokenizer.ggml.model");
    let old = [key.clone(), kind].concat();
    let at = model
        .windows(old.len())
        .position(|window| window == old)
        .unwrap();

    let mut added = [key, STRING.to_le_bytes().to_vec(), string("llama")].concat();
    added.extend(array(
        "tokenizer.ggml.tokens",
        STRING,
        ids().map(|id| string(&token(id).0)),
    ));
    let score = |id: i32| (-id as f32).to_le_bytes().to_vec();
    added.extend(array("tokenizer.ggml.scores", F32, ids().map(score)));
    let kind = |id: i32| token(id).1.to_le_bytes().to_vec();
    added.extend(array("tokenizer.ggml.token_type", I32, ids().map(kind)));
    // Tensor data starts at a multiple of 32, so the file must grow by a multiple of 32.
    let key = |padding: usize| string(&"x".repeat(padding));
    let entry = |padding| [key(padding), U32.to_le_bytes().to_vec(), vec![0; 4]].concat();
    let padding = (1..33)
        .find(|padding| (added.len() + entry(*padding).len() - old.len()).is_multiple_of(32))
        .unwrap();
    added.extend(entry(padding));

    let n_kv = u64::from_le_bytes(model[16..24].try_into().unwrap()) + 4;
    [
        &model[..16],
        &n_kv.to_le_bytes(),
        &model[24..at],
        &added,
        &model[at + old.len()..],
    ]
    .concat()
}

fn bytes(text: &str) -> Vec<i32> {
    text.bytes()
        .map(|byte| FIRST_BYTE + i32::from(byte))
        .collect()
}

#[test(needs(ORACLE, MODELS))]
fn texts_become_tokens() {
    for oracle in oracles() {
        let model = models_of(&oracle).remove(0);
        let name = format!(
            "vocabulary-{}-{}.gguf",
            std::process::id(),
            oracle.id().len()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, with_vocabulary(&std::fs::read(model).unwrap())).unwrap();
        let opened = [Graph::Auto, Graph::Ops].map(|graph| {
            let params = SessionParams { graph, ..params() };
            oracle.open(&path, &params)
        });
        std::fs::remove_file(&path).unwrap();
        for session in opened {
            tokenizes(&session.unwrap());
        }
    }
}

/// The vocabulary is that of upstream with either graph.
fn tokenizes(session: &Session) {
    assert_eq!(session.n_vocab(), N_VOCAB);
    assert_eq!(session.tokenize("a").unwrap(), [BOS, WORD]);
    let unknown = [vec![BOS], bytes("\u{2581}zz")].concat();
    assert_eq!(session.tokenize("zz").unwrap(), unknown);
    assert_eq!(session.tokenize("").unwrap(), [BOS]);
    // Special tokens in the text are tokenized as text.
    assert!(session.tokenize("</s>").unwrap().len() > 2);
    // Three tokens per byte: more than fit in the buffer of the first attempt.
    let spaces = " ".repeat(50);
    let expected = [vec![BOS], bytes(&"\u{2581}".repeat(51))].concat();
    assert_eq!(session.tokenize(&spaces).unwrap(), expected);
}

fn main() -> std::process::ExitCode {
    testing::main()
}
