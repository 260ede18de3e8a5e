//! Which parts of the work a section holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shard::Shard;

/// Which shards of some work are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shards {
    /// How many there are of it.
    pub count: u64,
    /// Which of them are here, counted from 1, in ascending order.
    pub held: Vec<u64>,
}

impl Shards {
    /// These of `count`.
    pub fn new(count: u64, held: impl IntoIterator<Item = u64>) -> Shards {
        let mut held: Vec<u64> = held.into_iter().collect();
        held.sort_unstable();
        Shards { count, held }
    }

    /// Those that are not here, at most as many as a message can show.
    pub fn missing(&self) -> Vec<Shard> {
        const SHOWN: usize = 64;
        let count = self.count;
        (1..=count)
            .filter(|index| self.held.binary_search(index).is_err())
            .map(|index| Shard { index, count })
            .take(SHOWN)
            .collect()
    }

    /// Whether the numbers can be: some are here, each once, none beyond the count.
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
