//! Known divergences: defects of oracles, listed in `corpus/known_divergences.toml` with the results that they cause.

use std::sync::LazyLock;

use qk256::format::{Format, ShapeError, Storage, Weights, pack};
use serde::Deserialize;

use crate::implementation::{Implementation, ImplementationError};
use crate::participant::{Reference, reference_format};

/// A defect of an oracle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDivergence {
    /// Stable name.
    pub id: String,
    /// Prefix of the ids of the oracles that have the defect.
    pub oracle: String,
    /// Tensor type.
    pub format: String,
    /// CPU features that the oracle must be compiled for.
    pub needs: Vec<String>,
    /// CPU features that the oracle must not be compiled for.
    pub lacks: Vec<String>,
    /// Number of int16 lanes that accumulate a dot: column `c` is added to lane `c % 32 * lanes / 32`.
    pub int16_lanes: usize,
    /// Number of columns after which the lanes are widened.
    pub widened_every: usize,
    /// Description of the defect and its reason.
    pub why: String,
    /// The shortest row that shows the defect.
    pub reproduction: Reproduction,
}

/// A row of equal codes and equal activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproduction {
    /// Columns.
    pub cols: usize,
    /// Value of every code.
    pub code: u8,
    /// Value of every activation.
    pub activation: i8,
    /// The right dot.
    pub right: i64,
    /// The oracle's dot.
    pub oracle: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    divergence: Vec<KnownDivergence>,
}

static KNOWN: LazyLock<Vec<KnownDivergence>> = LazyLock::new(|| {
    let list: List = toml::from_str(include_str!("../../corpus/known_divergences.toml"))
        .expect("the embedded list is well-formed, which a test checks");
    list.divergence
});

/// All known divergences.
pub fn all() -> &'static [KnownDivergence] {
    &KNOWN
}

/// Whether the list has an entry with this id.
pub fn is_listed(id: &str) -> bool {
    all().iter().any(|known| known.id == id)
}

impl KnownDivergence {
    /// The entries that apply to an oracle and a tensor type.
    pub fn of(reference: &Reference, format: &Format) -> Vec<&'static KnownDivergence> {
        all()
            .iter()
            .filter(|known| known.applies(reference, format))
            .collect()
    }

    fn applies(&self, reference: &Reference, format: &Format) -> bool {
        let Some(description) = &reference.description else {
            return false;
        };
        let compiled_for = |feature: &String| description.instruction_set.contains(feature);
        self.format == format.type_name
            && reference.implementation.id().starts_with(&self.oracle)
            && self.needs.iter().all(compiled_for)
            && !self.lacks.iter().any(compiled_for)
    }

    /// The dot that an oracle with this defect computes.
    pub fn dot(&self, codes: &[u8], activations: &[i8]) -> i64 {
        let mut lanes = [0i16; 32];
        let mut total = 0;
        let runs = codes.chunks(self.widened_every);
        for (codes, activations) in runs.zip(activations.chunks(self.widened_every)) {
            lanes.fill(0);
            for (col, (&code, &a)) in codes.iter().zip(activations).enumerate() {
                let lane = &mut lanes[col % 32 * self.int16_lanes / 32];
                *lane = lane.wrapping_add(i16::from(code) * i16::from(a));
            }
            total += lanes.iter().copied().map(i64::from).sum::<i64>();
        }
        total
    }

    /// Runs the reproduction and returns the implementation's dot.
    ///
    /// # Errors
    ///
    /// [`ImplementationError`] if the implementation fails.
    ///
    /// # Panics
    ///
    /// If the shape of the entry does not fit its type. A test checks all entries.
    pub fn reproduce(
        &self,
        implementation: &dyn Implementation,
    ) -> Result<i64, ImplementationError> {
        let (storage, bytes) = self.row().expect("the listed shape fits its type");
        let weights = Weights::new(storage, &bytes).expect("the row was packed whole");
        let mut out = [0];
        let activations = vec![self.reproduction.activation; storage.cols()];
        implementation.dots(&weights, &activations, &mut out)?;
        Ok(out[0])
    }

    fn row(&self) -> Result<(Storage, Vec<u8>), ShapeError> {
        let format = qk256::format::FORMATS
            .iter()
            .find(|format| format.type_name == self.format)
            .map(reference_format)
            .expect("the listed type is one of the formats'");
        let Reproduction { cols, code, .. } = self.reproduction;
        let storage = Storage::native(*format, 1, cols)?;
        let bytes = pack(
            &storage,
            &vec![code; cols],
            &vec![1.0; storage.scale_count()],
        )?;
        Ok((storage, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::participant::ReferenceModel;

    #[test]
    fn entries_predict_their_own_reproduction_and_it_is_the_shortest() {
        assert!(!all().is_empty());
        for known in all() {
            let Reproduction {
                cols,
                code,
                activation,
                right,
                oracle,
            } = known.reproduction;
            let dot = |cols: usize| known.dot(&vec![code; cols], &vec![activation; cols]);
            assert_eq!(
                known.reproduce(&ReferenceModel).unwrap(),
                right,
                "{}",
                known.id
            );
            assert_eq!(dot(cols), oracle, "{}", known.id);
            assert_ne!(oracle, right, "{}", known.id);
            let shorter = cols - 128;
            let product = i64::from(code) * i64::from(activation);
            assert_eq!(dot(shorter), product * shorter as i64, "{}", known.id);
        }
    }
}
