//! Compares descriptions, sizes and quantizers of every oracle with results computed by hand.

mod common;

use common::{ORACLE, oracles, oracles_with, status, ternary};
use cpp_shim::{Check, Format, Status};
use testing::test;

#[test(needs(ORACLE))]
fn describe_matches_the_build() {
    for build in cpp_shim::builds() {
        let Ok(oracle) = build.load() else { continue };
        let (described, built) = (oracle.description(), build.provenance());
        assert_eq!(oracle.id(), build.id());
        assert_eq!(described.upstream, built.upstream);
        assert_eq!(described.version, built.version);
        assert_eq!(described.checksum, built.checksum);
        assert_eq!(described.checksum.len(), 64);
        assert_eq!(described.compiler, built.compiler);
        assert_eq!(described.flags, built.flags);
        assert_eq!(described.instruction_set, built.instruction_set);
    }
}

/// The types of both upstreams.
const COMMON: &str = "\
    f32 f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_K q3_K q4_K q5_K q6_K iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq3_xxs iq3_s \
    iq4_nl iq4_xs tq1_0 tq2_0";

#[test(needs(ORACLE))]
fn every_type_of_the_library_is_listed_and_has_a_sample() {
    for oracle in oracles() {
        let own = match oracle.description().upstream.as_str() {
            "bitnet.cpp" => "i2_s",
            _ => "q1_0 q2_0 mxfp4 nvfp4 f8_e4m3",
        };
        let words = |text: &'static str| text.split_whitespace();
        let mut expected: Vec<&str> = words(COMMON).chain(words(own)).collect();
        expected.sort_unstable();
        let formats = &oracle.description().formats;
        let mut names: Vec<&str> = formats.iter().map(|info| info.format.name()).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{}", oracle.id());
        assert_eq!(oracle.description().refused, []);
        for info in formats {
            assert_eq!(info.check, Check::Sample, "{} {}", oracle.id(), info.format);
        }
    }
}

#[test(needs(ORACLE))]
fn formats_are_described() {
    for oracle in oracles() {
        let info = |name| oracle.description().format(Format::named(name)).unwrap();
        let q4_k = info("Q4_K");
        assert_eq!(q4_k.format.name(), "q4_K");
        assert_eq!(q4_k.file_type, 12);
        assert_eq!((q4_k.block, q4_k.block_bytes), (256, Some(144)));
        assert_eq!(q4_k.cols_multiple, 256);
        assert_eq!(q4_k.activations, Some(Format::named("q8_K")));
        assert!(q4_k.has_to_float && q4_k.has_quantizer && q4_k.has_dot);
        assert!(!q4_k.needs_importance);
        assert_eq!(info("q4_1").activations, Some(Format::named("q8_1")));
        assert_eq!(info("q8_0").activations, Some(Format::named("q8_0")));
        assert_eq!(info("f32").activations, Some(Format::F32));
        assert!(!info("f32").has_to_float);
        assert!(info("f32").has_quantizer && info("iq1_m").has_quantizer);
        assert!(info("iq2_xxs").needs_importance);
    }
    for oracle in oracles_with(Format::I2S) {
        let info = oracle.description().format(Format::I2S).unwrap();
        assert_eq!((info.block, info.block_bytes), (128, None));
        assert_eq!(info.activations, Some(Format::named("i8_s")));
        assert!(info.has_quantizer && info.has_dot && !info.has_to_float);
    }
}

#[test(needs(ORACLE))]
fn tensor_bytes_are_those_of_the_formats() {
    for oracle in oracles_with(Format::I2S) {
        let bytes = |format, rows, cols| oracle.tensor_bytes(format, rows, cols).unwrap();
        assert_eq!(bytes(Format::I2S, 3, 128), 3 * 128 / 4 + 32);
        assert_eq!(bytes(Format::I2S, 2, 130), 2 * 130 / 4 + 32);
        assert_eq!(bytes(Format::TQ2_0, 3, 512), 3 * 2 * 66);
        assert_eq!(bytes(Format::TQ1_0, 3, 512), 3 * 2 * 54);
        assert_eq!(bytes(Format::F16, 3, 5), 3 * 5 * 2);
        assert_eq!(bytes(Format::F32, 3, 5), 3 * 5 * 4);
        assert_eq!(bytes(Format::Q6_K, 3, 256), 3 * 210);
        for (format, rows, cols) in [
            (Format::I2S, 0, 128),
            (Format::I2S, 1, 0),
            (Format::I2S, 1, 130),
            (Format::TQ2_0, 1, 128),
            (Format::Q6_K, 1, 255),
            (Format::F32, usize::MAX, usize::MAX),
            (Format::F32, 1 << 31, 1),
        ] {
            assert_eq!(
                status(oracle.tensor_bytes(format, rows, cols)),
                Status::BadArgument
            );
        }
    }
}

#[test(needs(ORACLE))]
fn i2_s_bytes() {
    for oracle in oracles_with(Format::I2S) {
        let values = ternary(128, 0.75);
        let bytes = oracle.quantize(Format::I2S, 1, 128, &values).unwrap();
        // Byte p holds elements p, p+32, p+64, p+96 at shifts 6, 4, 2, 0; the code of element i is
        // i mod 3.
        for (p, byte) in bytes[..32].iter().enumerate() {
            let code = |i: usize| (i % 3) as u8;
            let expected = code(p) << 6 | code(p + 32) << 4 | code(p + 64) << 2 | code(p + 96);
            assert_eq!(*byte, expected, "{} byte {p}", oracle.id());
        }
        assert_eq!(bytes[32..36], 0.75f32.to_le_bytes());
        assert_eq!(bytes[36..], [0; 28]);
    }
}

#[test(needs(ORACLE))]
fn blocked_bytes() {
    for oracle in oracles() {
        let values = ternary(256, 0.5);
        let bytes = oracle.quantize(Format::TQ2_0, 1, 256, &values).unwrap();
        for (p, byte) in bytes[..64].iter().enumerate() {
            let first = p / 32 * 128 + p % 32;
            let code = |i: usize| (i % 3) as u8;
            let expected =
                code(first) | code(first + 32) << 2 | code(first + 64) << 4 | code(first + 96) << 6;
            assert_eq!(*byte, expected, "{} byte {p}", oracle.id());
        }
        assert_eq!(bytes[64..], 0x3800u16.to_le_bytes());

        let bytes = oracle
            .quantize(Format::TQ1_0, 1, 256, &[-0.5; 256])
            .unwrap();
        assert_eq!(bytes[..52], [0; 52]);
        assert_eq!(bytes[52..], 0x3800u16.to_le_bytes());
    }
}

#[test(needs(ORACLE))]
fn plain_bytes() {
    for oracle in oracles() {
        let bytes = oracle
            .quantize(Format::F16, 1, 3, &[1.0, -2.0, 0.5])
            .unwrap();
        assert_eq!(bytes, [0x00, 0x3C, 0x00, 0xC0, 0x00, 0x38]);
        let bytes = oracle.quantize(Format::F32, 1, 1, &[-0.0]).unwrap();
        assert_eq!(bytes, [0, 0, 0, 0x80]);
        let zeros = oracle.quantize(Format::Q6_K, 1, 256, &[0.0; 256]).unwrap();
        assert_eq!(zeros.len(), 210);
        assert_eq!(zeros[208..], [0, 0]);
    }
}

#[test(needs(ORACLE))]
fn quantize_refuses_what_does_not_fit() {
    for oracle in oracles_with(Format::I2S) {
        let values = vec![0.0; 256];
        for (format, rows, cols) in [
            (Format::I2S, 1, 128),
            (Format::I2S, 2, 256),
            (Format::TQ2_0, 1, 128),
        ] {
            let result = oracle.quantize(format, rows, cols, &values);
            assert_eq!(
                status(result),
                Status::BadArgument,
                "{format} {rows}x{cols}"
            );
        }
    }
}

#[test(needs(ORACLE))]
fn values_come_back_from_every_quantizer() {
    const COLS: usize = 512;
    let values: Vec<f32> = (0..2 * COLS).map(|i| (i as f32 * 0.7).sin()).collect();
    for oracle in oracles() {
        for info in &oracle.description().formats {
            // The quantizers of these search in tables that take seconds to build.
            let is_slow = ["iq1", "iq2", "iq3"];
            let name = info.format.name();
            if !info.has_to_float || is_slow.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let mut floats = vec![0.0; 2 * COLS];
            let bytes = oracle.quantize(info.format, 2, COLS, &values).unwrap();
            let stride = bytes.len() / 2;
            oracle
                .dequantize(info.format, COLS, &bytes, 2, stride, &mut floats)
                .unwrap();
            let errors = floats.iter().zip(&values).map(|(a, b)| (a - b).abs());
            // One bit gives the mean magnitude, 2 / pi.
            let mean = errors.sum::<f32>() / values.len() as f32;
            assert!(mean < 0.35, "{} {name}: {mean}", oracle.id());
        }
    }
}

#[test(needs(ORACLE))]
fn importance_is_passed_on() {
    let values: Vec<f32> = (0..256).map(|i| (i as f32 * 0.7).sin()).collect();
    let q4_k = Format::named("q4_K");
    for oracle in oracles() {
        let plain = oracle.quantize(q4_k, 1, 256, &values).unwrap();
        let importance: Vec<f32> = (0..256)
            .map(|i| if i % 4 == 0 { 100.0 } else { 1.0 })
            .collect();
        let bytes = oracle
            .quantize_with_importance(q4_k, 1, 256, &values, &importance)
            .unwrap();
        assert_ne!(bytes, plain, "{}", oracle.id());
        for n in [0, 255, 257] {
            let result = oracle.quantize_with_importance(q4_k, 1, 256, &values, &vec![1.0; n]);
            assert_eq!(status(result), Status::BadArgument);
        }
        for name in ["iq2_xxs", "iq2_xs", "iq1_s"] {
            let result = oracle.quantize(Format::named(name), 1, 256, &values);
            assert_eq!(status(result), Status::BadArgument);
        }
    }
}

#[test(needs(ORACLE))]
fn formats_that_a_library_lacks_are_unsupported() {
    for oracle in oracles() {
        for name in ["q8_K", "q8_1", "i32", "q4_0_4x4", "tl1", "nothing"] {
            let format = Format::named(name);
            assert_eq!(oracle.description().format(format), None);
            let result = oracle.tensor_bytes(format, 1, 256);
            assert_eq!(status(result), Status::Unsupported, "{name}");
        }
    }
}

#[test(needs(ORACLE))]
fn activations_of_i2_s() {
    for oracle in oracles_with(Format::I2S) {
        let mut values = vec![0.0; 256];
        values[0] = -4.0;
        values[1] = 2.0;
        let quantized = oracle
            .quantize_activations(Format::I2S, 128, &values)
            .unwrap();
        // Row 0 has scale 127/4, so 2.0 becomes 63.5 and rounds to the even 64. Row 1 is zero and has the minimum of
        // 1e-5 as its largest magnitude.
        assert_eq!(quantized.codes[..3], [-127, 64, 0]);
        assert_eq!(quantized.scales, [31.75, (127.0 / 0.00001f64) as f32]);
        assert_eq!(quantized.sums, [-63, 0]);
    }
}

#[test(needs(ORACLE))]
fn activations_of_blocks() {
    for oracle in oracles() {
        for format in [Format::TQ2_0, Format::TQ1_0, Format::Q6_K] {
            let mut values = vec![0.0; 512];
            values[16] = 127.0;
            values[17] = -64.0;
            let quantized = oracle.quantize_activations(format, 512, &values).unwrap();
            // The largest value becomes -127, so the scale is negative. The second block is zero.
            assert_eq!(quantized.codes[15..19], [0, -127, 64, 0]);
            assert_eq!(quantized.scales, [-1.0, 0.0]);
            assert_eq!(quantized.sums.len(), 32);
            assert_eq!(quantized.sums[1], -63);
            assert_eq!(quantized.sums.iter().filter(|sum| **sum != 0).count(), 1);
        }
        for format in [Format::F16, Format::F32, Format::BF16] {
            let result = oracle.quantize_activations(format, 256, &[0.0; 256]);
            assert_eq!(status(result), Status::Unsupported);
        }
        for (cols, n) in [(100, 200), (256, 100), (0, 256)] {
            let result = oracle.quantize_activations(Format::TQ2_0, cols, &vec![0.0; n]);
            assert_eq!(status(result), Status::BadArgument);
        }
    }
}

#[test(needs(ORACLE))]
fn activations_of_small_blocks() {
    let mut values = vec![0.0; 128];
    values[33] = 127.0;
    values[34] = -64.0;
    // A scale that f16 rounds: 1 / 127.
    values[64] = 1.0;
    for oracle in oracles() {
        let quantize = |name| {
            let format = Format::named(name);
            oracle.quantize_activations(format, 128, &values).unwrap()
        };
        let (q8_0, q8_1) = (quantize("q4_0"), quantize("q4_1"));
        assert_eq!(q8_0.codes[32..35], [0, 127, -64]);
        assert_eq!(q8_0.codes[64], 127);
        assert_eq!(q8_0.scales.len(), 4);
        assert_eq!(q8_0.scales[..2], [0.0, 1.0]);
        assert!((q8_0.scales[2] - 1.0 / 127.0).abs() < 1e-5);
        assert_ne!(q8_0.scales[2], 1.0 / 127.0);
        assert_eq!(q8_0.scales[3], 0.0);
        assert_eq!(q8_1.codes, q8_0.codes);
        assert_eq!(q8_1.scales[..4], [0.0, 0.0, 1.0, 63.0]);
        assert_eq!(q8_1.scales[4], q8_0.scales[2]);
        // The sum is multiplied by the scale before the latter is rounded to f16.
        assert_eq!(q8_1.scales[5..], [1.0, 0.0, 0.0]);
        assert_eq!((q8_0.sums.len(), q8_1.sums.len()), (0, 0));
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
