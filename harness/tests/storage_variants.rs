//! Files of the families that share I2_S's type id: which are recognized and which are refused.

mod common;

use std::path::{Path, PathBuf};

use common::{ORACLE, assert_code, harness, stderr, stdout};
use qk256::format::{BITNET32, Format, I2_S_GROUP128, Storage, StorageVariant, pack};
use qk256::gguf::{Builder, GgmlType};
use qk256::kernel;
use tempfile::tempdir;
use testing::test;

const NAME: &str = "blk.0.attn_q.weight";

/// Writes a file with one I2_S tensor of these bytes, and its companion tensor with the scale if there is one.
fn file(folder: &Path, rows: usize, cols: usize, bytes: &[u8], scales: Option<&[f32]>) -> PathBuf {
    let path = folder.join("model.gguf");
    let mut builder = Builder::default();
    builder.metadata("general.architecture", "bitnet").unwrap();
    builder
        .tensor(NAME, &[cols, rows], GgmlType::I2_S, bytes.len() as u64)
        .unwrap();
    let scale_bytes: Option<Vec<u8>> = scales.map(|scales| {
        scales
            .iter()
            .flat_map(|scale| scale.to_le_bytes())
            .collect()
    });
    if let Some(scales) = &scale_bytes {
        let name = "blk.0.attn_q.scale";
        builder
            .tensor(
                name,
                &[scales.len() / 4],
                GgmlType::F32,
                scales.len() as u64,
            )
            .unwrap();
    }
    let out = std::fs::File::create(&path).unwrap();
    let mut writer = builder.start(out).unwrap().tensor(NAME, bytes).unwrap();
    if let Some(scales) = &scale_bytes {
        writer = writer.tensor("blk.0.attn_q.scale", scales).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// The bytes of `rows x cols` codes 0, 1, 2, 0, ... with scales 0.5.
fn bytes(format: Format, variant: StorageVariant, rows: usize, cols: usize) -> Vec<u8> {
    let storage = Storage::new(format, variant, rows, cols).unwrap();
    let codes: Vec<u8> = (0..rows * cols).map(|i| (i % 3) as u8).collect();
    pack(&storage, &codes, &vec![0.5; storage.scale_count()]).unwrap()
}

#[test(needs(ORACLE))]
fn each_family_is_recognized_by_its_exact_size() {
    let folder = tempdir().unwrap();
    let split_scales = vec![0.5; 8 * 256 / 32];
    type Case<'a> = (Format, StorageVariant, usize, Option<&'a [f32]>, i32);
    let cases: [Case<'_>; 5] = [
        (I2_S_GROUP128, StorageVariant::Qk256, 256, None, 0),
        (I2_S_GROUP128, StorageVariant::Bare, 256, Some(&[0.5]), 0),
        (
            I2_S_GROUP128,
            StorageVariant::PaddedRows,
            300,
            Some(&[0.5]),
            0,
        ),
        (BITNET32, StorageVariant::Bitnet32Inline, 256, None, 4),
        (
            BITNET32,
            StorageVariant::Bitnet32Split,
            256,
            Some(&split_scales),
            4,
        ),
    ];
    for (format, variant, cols, scales, dumped) in cases {
        let model = file(
            folder.path(),
            8,
            cols,
            &bytes(format, variant, 8, cols),
            scales,
        );
        let model = model.to_str().unwrap();
        // No oracle supports BitNet32, so dump-lut has nothing to compare.
        let output = harness(&["dump-lut", model]);
        assert_code(&output, dumped);
        let text = stdout(&output);
        assert!(
            text.contains(variant.name()) && text.contains("0.5"),
            "{variant}:\n{text}"
        );
        // Its kernels are still checked, against the reference model where there is no oracle.
        let mut args = vec!["check", model, "--level", "lut,block"];
        for kernel in kernel::all().iter().filter(|k| *k.format() == format) {
            args.extend(["--kernel", kernel.id()]);
        }
        let output = harness(&args);
        assert_code(&output, 0);
    }
}

#[test(needs(ORACLE))]
fn sizes_that_fit_nothing_or_several_variants_are_refused_with_all_of_them() {
    let folder = tempdir().unwrap();
    // One byte too many. The file pads it to 608.
    let mut too_long = bytes(I2_S_GROUP128, StorageVariant::Qk256, 8, 256);
    too_long.resize(577, 0);
    let bare = bytes(I2_S_GROUP128, StorageVariant::Bare, 8, 256);
    let cases: [(&[u8], &[&str]); 2] = [
        (&too_long, &["needs 544", "608 bytes"]),
        (
            &bare,
            &["qk256_bare", "bitnet32_split", "nothing is assumed"],
        ),
    ];
    for (bytes, parts) in cases {
        let model = file(folder.path(), 8, 256, bytes, None);
        for command in ["check", "dump-lut"] {
            let output = harness(&[command, model.to_str().unwrap()]);
            assert_code(&output, 3);
            let error = stderr(&output);
            for part in parts.iter().chain(&[NAME, "model.gguf"]) {
                assert!(error.contains(part), "no `{part}` in {error}");
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
