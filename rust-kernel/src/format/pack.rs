//! Packing and unpacking, one code at a time, directly from the layout. Fast kernels are tested against this
//! definition.

use half::f16;

use super::{Digit, ScaleRule, ShapeError, Storage, Weights};

/// Packs `rows x cols` codes, row-major, and the scales that are stored inside the tensor.
///
/// `scales` holds [`Storage::scale_count`] values in row-major order. Scales of a companion tensor are not written. f16
/// scales are rounded to nearest, ties to even. Padding is zero.
///
/// # Errors
///
/// [`ShapeError::Length`] if a slice has the wrong length, [`ShapeError::Code`] if a code does not fit its digit.
pub fn pack(storage: &Storage, codes: &[u8], scales: &[f32]) -> Result<Vec<u8>, ShapeError> {
    let (rows, cols) = (storage.rows(), storage.cols());
    ShapeError::check("codes to pack", codes.len(), rows * cols)?;
    ShapeError::check("scales to pack", scales.len(), storage.scale_count())?;

    let mut placed = vec![0u16; storage.bytes()];
    for (index, &code) in codes.iter().enumerate() {
        let slot = storage.slot(index / cols, index % cols);
        let max = match slot.digit {
            Digit::Bits { .. } => 3,
            Digit::Trit { .. } => 2,
        };
        if code > max {
            return Err(ShapeError::Code {
                format: storage.format().id,
                index,
                code,
                max,
            });
        }
        placed[slot.byte] += slot.digit.place(code);
    }
    let mut bytes: Vec<u8> = placed
        .into_iter()
        .map(|byte| storage.layout().finish_byte(byte))
        .collect();

    for (index, &scale) in scales.iter().enumerate() {
        let Some(at) = storage.scale_at(index) else {
            break;
        };
        match storage.format().scale {
            ScaleRule::Tensor => bytes[at..][..4].copy_from_slice(&scale.to_le_bytes()),
            ScaleRule::Block { .. } => {
                bytes[at..][..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
            }
        }
    }
    Ok(bytes)
}

/// The codes of all weights, `rows x cols`, row-major.
pub fn codes(weights: &Weights<'_>) -> Vec<u8> {
    let (rows, cols) = (weights.rows(), weights.cols());
    (0..rows * cols)
        .map(|index| weights.code(index / cols, index % cols))
        .collect()
}

/// All weights as f32, `rows x cols`, row-major: codebook value times scale.
pub fn unpack(weights: &Weights<'_>) -> Vec<f32> {
    let (rows, cols) = (weights.rows(), weights.cols());
    let storage = weights.storage();
    let codebook = weights.format().codebook;
    let weight = |row, col| {
        let scale = weights.scale(storage.scale_index(row, col));
        f32::from(codebook.value(weights.code(row, col))) * scale
    };
    (0..rows * cols)
        .map(|index| weight(index / cols, index % cols))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    /// Storages of every format and storage variant, with whole blocks and with tails.
    fn storages() -> impl Iterator<Item = Storage> {
        const SHAPES: [(usize, usize); 7] = [
            (1, 128),
            (1, 300),
            (4, 256),
            (4, 384),
            (8, 512),
            (3, 257),
            (1, 45),
        ];
        let kinds = FORMATS
            .iter()
            .flat_map(|f| f.variants.iter().map(move |&variant| (f, variant)));
        kinds.flat_map(|(format, variant)| {
            SHAPES
                .iter()
                .filter_map(move |&(r, c)| Storage::new(*format, variant, r, c).ok())
        })
    }

    fn sample_codes(storage: &Storage) -> Vec<u8> {
        let modulus = if storage.layout() == Layout::Tq1_0 {
            3
        } else {
            4
        };
        let n = storage.rows() * storage.cols();
        (0..n)
            .map(|i| ((i * i * 31 + i * 7) / 5 % modulus) as u8)
            .collect()
    }

    #[test]
    fn codes_scales_and_histogram_survive_packing() {
        let mut tried = 0;
        for storage in storages() {
            let wanted = sample_codes(&storage);
            let scales: Vec<f32> = (0..storage.scale_count()).map(|i| 0.5 + i as f32).collect();
            let bytes = pack(&storage, &wanted, &scales).unwrap();
            let weights = Weights::new(storage, &bytes).unwrap();
            assert_eq!(codes(&weights), wanted, "{storage:?}");
            if storage.scale_offset().is_some() {
                let read: Vec<f32> = (0..scales.len()).map(|i| weights.scale(i)).collect();
                assert_eq!(read, scales, "{storage:?}");
            }
            let mut histogram = [0u64; 4];
            wanted
                .iter()
                .for_each(|&code| histogram[code as usize] += 1);
            assert_eq!(weights.histogram(), histogram, "{storage:?}");
            tried += 1;
        }
        assert!(tried > 25, "only {tried} storages were possible");
    }

    #[test]
    fn a_code_that_does_not_fit_a_trit_is_refused() {
        let storage = Storage::native(TQ1_0, 1, 256).unwrap();
        let mut codes = vec![0; 256];
        codes[9] = 3;
        let error = pack(&storage, &codes, &[1.0]).unwrap_err();
        assert_eq!(
            error,
            ShapeError::Code {
                format: "tq1_0",
                index: 9,
                code: 3,
                max: 2
            }
        );
    }

    #[test]
    fn unpacking_applies_codebook_and_scale() {
        let storage = Storage::new(BITNET32, StorageVariant::Bitnet32Inline, 1, 64).unwrap();
        let codes: Vec<u8> = (0..64).map(|i| i as u8 % 4).collect();
        let bytes = pack(&storage, &codes, &[0.5, 2.0]).unwrap();
        let values = unpack(&Weights::new(storage, &bytes).unwrap());
        assert_eq!(values[..4], [-1.0, -0.5, 0.5, 1.0]);
        assert_eq!(values[32..36], [-4.0, -2.0, 2.0, 4.0]);
    }

    #[test]
    fn scales_of_a_companion_tensor_are_read() {
        let storage = Storage::new(BITNET32, StorageVariant::Bitnet32Split, 1, 64).unwrap();
        let bytes = pack(&storage, &[0; 64], &[0.0; 2]).unwrap();
        let scales: Vec<u8> = [3.0f32, 0.25]
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect();
        let weights = Weights::new(storage, &bytes).unwrap();
        let with = weights
            .with_scales(crate::gguf::GgmlType::F32, &scales)
            .unwrap();
        assert_eq!((with.scale(0), with.scale(1)), (3.0, 0.25));
        assert!(
            weights
                .with_scales(crate::gguf::GgmlType::F32, &scales[..4])
                .is_err()
        );
    }
}
