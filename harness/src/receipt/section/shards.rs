//! The shards of a section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shard::Shard;

/// The shards that a section has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shards {
    /// Number of shards of the whole work.
    pub count: u64,
    /// Numbers of the shards that the section has, from 1, in ascending order.
    pub held: Vec<u64>,
}

impl Shards {
    /// The shards `held` of `count`.
    pub fn new(count: u64, held: impl IntoIterator<Item = u64>) -> Shards {
        let mut held: Vec<u64> = held.into_iter().collect();
        held.sort_unstable();
        Shards { count, held }
    }

    /// The first missing shards, at most 64, so that a message stays short.
    pub fn missing(&self) -> Vec<Shard> {
        const SHOWN: usize = 64;
        let count = self.count;
        (1..=count)
            .filter(|index| self.held.binary_search(index).is_err())
            .map(|index| Shard { index, count })
            .take(SHOWN)
            .collect()
    }

    /// Whether `held` is not empty, has no duplicates, and lies between 1 and `count`.
    pub fn are_possible(&self) -> bool {
        let ascending = self.held.windows(2).all(|pair| pair[0] < pair[1]);
        let ends = (self.held.first(), self.held.last());
        ascending && matches!(ends, (Some(&first), Some(&last)) if first >= 1 && last <= self.count)
    }
}

impl From<Shard> for Shards {
    fn from(shard: Shard) -> Shards {
        Shards::new(shard.count, [shard.index])
    }
}
