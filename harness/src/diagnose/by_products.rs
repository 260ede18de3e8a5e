//! Derives dots from products, so that probes for dots can be applied to products.

use qk256::format::{ScaleRule, Storage, Weights};

use crate::implementation::{Implementation, ImplementationError};
use crate::tolerance::CODE_VALUE;

/// Below this limit every integer is an f32.
const EXACT: f32 = (1 << 24) as f32;

/// Computes dots from products with scales of 1 by adding the sum of the activations again. Activation rows must
/// quantize without loss, as rows with a single 1 do.
pub(super) struct ByProducts<'a>(pub(super) &'a dyn Implementation);

impl ByProducts<'_> {
    fn no_integer(&self) -> ImplementationError {
        ImplementationError::failed(self.id(), "products", "a product of integers is none")
    }
}

impl Implementation for ByProducts<'_> {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        self.0.defined_on(storage)
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
        let bytes = with_unit_scales(weights);
        let scaled = Weights::new(*weights.storage(), &bytes).expect("as many bytes as before");
        let values: Vec<f32> = activations.iter().map(|&a| f32::from(a)).collect();
        let mut products = vec![0.0; out.len()];
        self.0.products(&scaled, &values, 1, &mut products)?;
        let offset = i64::from(weights.format().codebook.offset());
        let batch = activations.chunks_exact(weights.cols());
        let results = out.chunks_exact_mut(weights.rows());
        for ((out, products), activations) in
            results.zip(products.chunks(weights.rows())).zip(batch)
        {
            let sum: i64 = activations.iter().map(|&a| i64::from(a)).sum();
            for (out, &product) in out.iter_mut().zip(products) {
                let nearest = product.round();
                let near = CODE_VALUE as f32 * nearest.abs().max(1.0);
                // A NaN is near no number.
                if !((product - nearest).abs() <= near && nearest.abs() < EXACT) {
                    return Err(self.no_integer());
                }
                *out = nearest as i64 + offset * sum;
            }
        }
        Ok(())
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError> {
        self.0.products(weights, activations, threads, out)
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        self.0.quantize(storage, values)
    }
}

/// The bytes of a tensor with all its scales set to 1.
fn with_unit_scales(weights: &Weights<'_>) -> Vec<u8> {
    let mut bytes = weights.bytes().to_vec();
    let storage = weights.storage();
    let Some(first) = storage.scale_offset() else {
        return bytes;
    };
    match storage.format().scale {
        ScaleRule::Tensor => bytes[first..][..4].copy_from_slice(&1f32.to_le_bytes()),
        ScaleRule::Block { .. } => {
            let one = half::f16::ONE.to_le_bytes();
            for index in 0..storage.scale_count() {
                bytes[first + index * storage.unit_bytes()..][..2].copy_from_slice(&one);
            }
        }
    }
    bytes
}
