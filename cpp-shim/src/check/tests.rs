//! Oracles that must be rejected: function tables with functions of this file.

use super::*;
use crate::ffi::{ORACLE_ABI_VERSION, oracle_api, oracle_message, oracle_status};
use crate::library;
use crate::registry::builds;

const EMPTY: oracle_api = oracle_api {
    abi_version: ORACLE_ABI_VERSION,
    struct_bytes: size_of::<oracle_api>() as u32,
    describe: None,
    tensor_bytes: None,
    quantize: None,
    dequantize: None,
    quantize_activations: None,
    code_dot: None,
    block_dot: None,
    matmul: None,
    session_open: None,
    session_close: None,
    session_info: None,
    session_decode: None,
    session_logits: None,
    session_tokenize: None,
};

/// The description of a format without any of the optional functions.
fn info(name: &str) -> FormatInfo {
    let sample = samples::named(name).filter(|sample| sample.tail.is_empty());
    FormatInfo {
        format: Format::named(name),
        file_type: 0,
        block: 1,
        block_bytes: sample.map(|sample| samples::bytes(sample.rows[0].block).len()),
        cols_multiple: 1,
        activations: None,
        has_to_float: false,
        has_quantizer: false,
        needs_importance: false,
        has_dot: false,
        check: Check::None,
    }
}

/// A dot that writes a constant. With `WRITES` = 0 the result stays unchanged.
///
/// # Safety
///
/// `out` must hold `n_out` values.
unsafe extern "C" fn constant_dot<const WRITES: i64>(
    _format: u32,
    _cols: u64,
    _rows: u64,
    _weights: *const u8,
    _weights_bytes: usize,
    _row_stride: usize,
    _activations: *const i8,
    _n_activations: usize,
    _batch: u64,
    out: *mut i64,
    n_out: usize,
    _message: *mut oracle_message,
) -> oracle_status {
    if WRITES != 0 {
        // SAFETY: `out` has `n_out` values, by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(out, n_out) }.fill(WRITES);
    }
    oracle_status::ORACLE_OK
}

/// A dot that reports that its kernel wrote nothing.
///
/// # Safety
///
/// None.
unsafe extern "C" fn no_answer_dot(
    _format: u32,
    _cols: u64,
    _rows: u64,
    _weights: *const u8,
    _weights_bytes: usize,
    _row_stride: usize,
    _activations: *const i8,
    _n_activations: usize,
    _batch: u64,
    _out: *mut i64,
    _n_out: usize,
    _message: *mut oracle_message,
) -> oracle_status {
    oracle_status::ORACLE_NO_ANSWER
}

static DOES_NOTHING: oracle_api = oracle_api {
    code_dot: Some(constant_dot::<0>),
    ..EMPTY
};
static STUCK: oracle_api = oracle_api {
    code_dot: Some(constant_dot::<-128>),
    ..EMPTY
};
static NO_ANSWER: oracle_api = oracle_api {
    code_dot: Some(no_answer_dot),
    ..EMPTY
};
static HAS_NO_DOT: oracle_api = EMPTY;

fn table(api: &'static oracle_api) -> Table {
    // SAFETY: the memory accesses of the functions above follow the header.
    unsafe { Table::new("fake", api) }.unwrap()
}

fn refusal(api: &'static oracle_api) -> String {
    match known_answers(&table(api), &info("i2_s")) {
        Err(OracleError::WrongAnswer {
            operation,
            expected,
            got,
            ..
        }) => {
            format!("{operation}: {got}, not {expected}")
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_kernel_that_does_nothing_is_refused() {
    assert_eq!(refusal(&DOES_NOTHING), "code_dot of i2_s: 0, not -128");
}

#[test]
fn a_kernel_with_one_right_answer_is_refused() {
    assert_eq!(refusal(&STUCK), "code_dot of i2_s: -128, not 2304");
}

#[test]
fn a_kernel_that_gives_no_answer_is_refused() {
    let refusal = refusal(&NO_ANSWER);
    assert!(refusal.contains("no answer"), "{refusal}");
}

#[test]
fn a_missing_function_is_refused() {
    let refusal = refusal(&HAS_NO_DOT);
    assert!(refusal.contains("no such function"), "{refusal}");
}

#[test]
fn every_sample_is_checked() {
    for sample in samples::SAMPLES {
        let error = known_answers(&table(&DOES_NOTHING), &info(sample.name)).unwrap_err();
        assert!(error.to_string().contains(sample.name), "{error}");
    }
}

#[test]
fn a_type_without_sample_and_quantizer_is_not_checked() {
    let check = known_answers(&table(&DOES_NOTHING), &info("x1_0")).unwrap();
    assert_eq!(check, Check::None);
}

#[test]
fn a_type_of_another_size_is_not_that_of_the_sample() {
    let other = FormatInfo {
        block_bytes: Some(19),
        ..info("q4_0")
    };
    let check = known_answers(&table(&DOES_NOTHING), &other).unwrap();
    assert_eq!(check, Check::None);
}

/// The embedded oracles that this CPU can run.
///
/// # Panics
///
/// If one of them does not load.
fn embedded() -> Vec<(Table, Vec<FormatInfo>)> {
    let available = builds().iter().filter(|build| build.availability().is_ok());
    available
        .map(|build| {
            // SAFETY: the image is that of a build whose features this CPU has.
            let table = unsafe { library::load(build.id(), build.image().unwrap()) }.unwrap();
            let formats = table.describe().unwrap().formats;
            (table, formats)
        })
        .collect()
}

#[test]
fn the_real_oracles_pass_with_samples() {
    let embedded = embedded();
    testing::require!(
        embedded
            .first()
            .ok_or("no oracle is compiled in for this CPU")
    );
    for (table, formats) in embedded {
        for info in formats {
            let check = known_answers(&table, &info);
            assert_eq!(check.unwrap(), Check::Sample, "{}", info.format);
        }
    }
}

#[test]
fn the_real_oracles_pass_without_samples() {
    // The quantizers of these search in tables that take seconds to build.
    let is_slow = |info: &FormatInfo| {
        let name = info.format.name();
        ["iq1", "iq2", "iq3"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    for (table, formats) in embedded() {
        let formats = formats.iter().filter(|info| info.has_to_float);
        for info in formats.filter(|info| !is_slow(info)) {
            let subject = Subject {
                table: &table,
                info,
            };
            subject.round_trip().unwrap();
        }
    }
}

#[test]
fn another_version_of_the_abi_is_refused() {
    static NEWER: oracle_api = oracle_api {
        abi_version: ORACLE_ABI_VERSION + 1,
        ..EMPTY
    };
    static SHORT: oracle_api = oracle_api {
        struct_bytes: 8,
        ..EMPTY
    };
    for api in [&NEWER, &SHORT] {
        // SAFETY: no function is called.
        let result = unsafe { Table::new("fake", api) };
        assert!(matches!(result, Err(OracleError::Mismatch { .. })));
    }
}
