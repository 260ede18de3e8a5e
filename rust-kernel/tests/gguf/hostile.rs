//! Damaged files give an error with field and offset, or a valid view, and never a panic.

use proptest::prelude::*;

use crate::fuzz::check_gguf;
use crate::raw::{malformed, sample};
use testing::test;

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let bytes = sample().build();
    for length in 0..bytes.len() {
        let (field, offset, _) = malformed(&bytes[..length]);
        assert!(
            !field.is_empty() && offset <= length as u64,
            "{field} at {offset} of {length}"
        );
    }
}

#[test]
fn bytes_after_the_last_tensor_belong_to_it() {
    let mut bytes = sample().build();
    bytes.extend([0; 100]);
    assert!(check_gguf(&bytes).is_ok());
}

#[test]
fn any_byte_changed_is_an_error_or_a_valid_file() {
    let raw = sample();
    let mut bytes = raw.build();
    let data_start = bytes.len() - raw.data.len();
    let (mut refused, mut accepted) = (0, 0);
    for at in 0..bytes.len() {
        let original = bytes[at];
        for changed in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            original ^ 1,
            original ^ 0x10,
            !original,
        ] {
            bytes[at] = changed;
            match check_gguf(&bytes) {
                Ok(()) => accepted += 1,
                Err(error) => {
                    assert!(at < data_start, "byte {at} is tensor data: {error}");
                    refused += 1;
                }
            }
        }
        bytes[at] = original;
    }
    assert!(
        refused > 1000 && accepted > 8 * raw.data.len(),
        "{refused} {accepted}"
    );
}

/// Boundary values for counts, lengths, offsets and ids.
fn interesting() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..64,
        any::<u64>(),
        (0u32..64).prop_map(|bit| 1u64 << bit),
        (0u32..64).prop_map(|bit| (1u64 << bit).wrapping_sub(1)),
        (0u64..64).prop_map(|below| u64::MAX - below),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn overwritten_fields(
        writes in prop::collection::vec((any::<prop::sample::Index>(), interesting(), 1usize..=8), 1..4),
    ) {
        let mut bytes = sample().build();
        for (at, number, width) in writes {
            let at = at.index(bytes.len());
            for (byte, new) in bytes[at..].iter_mut().zip(&number.to_le_bytes()[..width]) {
                *byte = *new;
            }
        }
        let _ = check_gguf(&bytes);
    }

    #[test]
    fn removed_inserted_and_cut_bytes(
        at in any::<prop::sample::Index>(),
        removed in 0usize..40,
        inserted in prop::collection::vec(any::<u8>(), 0..40),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample().build();
        let at = at.index(bytes.len());
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, inserted);
        let _ = check_gguf(&bytes);
        bytes.truncate(length.index(bytes.len() + 1));
        let _ = check_gguf(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_valid_start(
        tensors in 0u64..4,
        entries in 0u64..4,
        rest in prop::collection::vec(prop_oneof![0u8..16, any::<u8>()], 0..256),
    ) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(entries.to_le_bytes());
        bytes.extend(rest);
        let _ = check_gguf(&bytes);
    }
}
