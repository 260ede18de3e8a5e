//! Distances in units in the last place and their histogram.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Number of buckets: identical values, and one for each power of two up to the largest distance of two finite f32.
const BUCKETS: usize = 33;

/// A histogram of the distances of f32 pairs in units in the last place: identical values first, then for each `i` the
/// distances from `2^i` to below `2^(i + 1)`. -0 and +0 count as identical here. Serialized as the counts up to the
/// last nonzero one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UlpHistogram([u64; BUCKETS]);

impl Default for UlpHistogram {
    /// An empty histogram.
    fn default() -> Self {
        UlpHistogram([0; BUCKETS])
    }
}

impl UlpHistogram {
    /// Counts a pair. Distances beyond those of finite f32 are counted in the last bucket.
    pub fn count(&mut self, ulp: u64) {
        let bucket = (u64::BITS - ulp.leading_zeros()) as usize;
        self.0[bucket.min(BUCKETS - 1)] += 1;
    }

    /// The sum of both histograms.
    pub fn plus(&self, other: &UlpHistogram) -> UlpHistogram {
        UlpHistogram(std::array::from_fn(|i| {
            self.0[i].saturating_add(other.0[i])
        }))
    }

    /// The counts up to the last nonzero one.
    pub fn counts(&self) -> &[u64] {
        let used = self.0.iter().rposition(|&count| count > 0);
        &self.0[..used.map_or(0, |last| last + 1)]
    }

    /// Number of counted pairs.
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.counts().is_empty()
    }
}

impl Serialize for UlpHistogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for UlpHistogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = Vec::<u64>::deserialize(deserializer)?;
        let mut histogram = UlpHistogram::default();
        let buckets = histogram.0.get_mut(..counts.len());
        buckets
            .ok_or_else(|| de::Error::invalid_length(counts.len(), &"at most 33 counts"))?
            .copy_from_slice(&counts);
        Ok(histogram)
    }
}

impl JsonSchema for UlpHistogram {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UlpHistogram".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let count = generator.subschema_for::<u64>();
        json_schema!({
            "description": "Pairs by distance in ULP: identical ones, then those from 2^i to below 2^(i + 1).",
            "type": "array",
            "items": count,
            "maxItems": BUCKETS,
        })
    }
}

/// Number of f32 steps between two finite values.
pub fn ulp_distance(a: f32, b: f32) -> u64 {
    // The bits of a float are sign and magnitude. This maps them to integers in the order of the values.
    let ordered = |value: f32| {
        let magnitude = i64::from(value.to_bits() & 0x7fff_ffff);
        if value.is_sign_negative() {
            -magnitude
        } else {
            magnitude
        }
    };
    ordered(a).abs_diff(ordered(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulp_distances_cross_zero() {
        assert_eq!(ulp_distance(1.0, 1.0f32.next_up()), 1);
        assert_eq!(ulp_distance(0.0, -0.0), 0);
        assert_eq!(ulp_distance(f32::from_bits(1), -f32::from_bits(1)), 2);
    }

    #[test]
    fn distances_are_counted_by_powers_of_two() {
        let mut histogram = UlpHistogram::default();
        assert!(histogram.is_empty());
        (0..=4).for_each(|ulp| histogram.count(ulp));
        assert_eq!(histogram.counts(), [1, 1, 2, 1]);
        histogram.count(ulp_distance(f32::MAX, f32::MIN));
        assert_eq!((histogram.counts().len(), histogram.total()), (BUCKETS, 6));
    }

    #[test]
    fn a_histogram_is_written_without_trailing_zeros() {
        let mut histogram = UlpHistogram::default();
        histogram.count(2);
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(text, "[0,0,1]");
        assert_eq!(
            serde_json::from_str::<UlpHistogram>(&text).unwrap(),
            histogram
        );
        let long = serde_json::to_string(&vec![0; BUCKETS + 1]).unwrap();
        assert!(serde_json::from_str::<UlpHistogram>(&long).is_err());
    }
}
