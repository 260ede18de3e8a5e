//! Compares descriptions, sizes and quantizers of every oracle with results computed by hand.

mod common;

use common::{ORACLE, oracles, oracles_with, status, ternary};
use cpp_shim::{Format, Status};
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
        for format in Format::ALL {
            let name = described.format(format).map(|info| info.name.as_str());
            // Only bitnet.cpp has I2_S.
            let is_there = format != Format::I2S || built.upstream == "bitnet.cpp";
            assert_eq!(name, is_there.then(|| format.name()), "{}", build.id());
        }
        assert_eq!(described.format(Format::Tq2_0).unwrap().cols_multiple, 256);
    }
}

#[test(needs(ORACLE))]
fn tensor_bytes_are_those_of_the_formats() {
    for oracle in oracles_with(Format::I2S) {
        let bytes = |format, rows, cols| oracle.tensor_bytes(format, rows, cols).unwrap();
        assert_eq!(bytes(Format::I2S, 3, 128), 3 * 128 / 4 + 32);
        assert_eq!(bytes(Format::I2S, 2, 130), 2 * 130 / 4 + 32);
        assert_eq!(bytes(Format::Tq2_0, 3, 512), 3 * 2 * 66);
        assert_eq!(bytes(Format::Tq1_0, 3, 512), 3 * 2 * 54);
        assert_eq!(bytes(Format::F16, 3, 5), 3 * 5 * 2);
        assert_eq!(bytes(Format::F32, 3, 5), 3 * 5 * 4);
        assert_eq!(bytes(Format::Q6K, 3, 256), 3 * 210);
        for (format, rows, cols) in [
            (Format::I2S, 0, 128),
            (Format::I2S, 1, 0),
            (Format::I2S, 1, 130),
            (Format::Tq2_0, 1, 128),
            (Format::Q6K, 1, 255),
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
        let bytes = oracle.quantize(Format::Tq2_0, 1, 256, &values).unwrap();
        for (p, byte) in bytes[..64].iter().enumerate() {
            let first = p / 32 * 128 + p % 32;
            let code = |i: usize| (i % 3) as u8;
            let expected =
                code(first) | code(first + 32) << 2 | code(first + 64) << 4 | code(first + 96) << 6;
            assert_eq!(*byte, expected, "{} byte {p}", oracle.id());
        }
        assert_eq!(bytes[64..], 0x3800u16.to_le_bytes());

        let bytes = oracle
            .quantize(Format::Tq1_0, 1, 256, &[-0.5; 256])
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
        let zeros = oracle.quantize(Format::Q6K, 1, 256, &[0.0; 256]).unwrap();
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
            (Format::Tq2_0, 1, 128),
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
        for format in [Format::Tq2_0, Format::Tq1_0, Format::Q6K] {
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
        for format in [Format::F16, Format::F32] {
            let result = oracle.quantize_activations(format, 256, &[0.0; 256]);
            assert_eq!(status(result), Status::Unsupported);
        }
        for (cols, n) in [(100, 200), (256, 100), (0, 256)] {
            let result = oracle.quantize_activations(Format::Tq2_0, cols, &vec![0.0; n]);
            assert_eq!(status(result), Status::BadArgument);
        }
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
