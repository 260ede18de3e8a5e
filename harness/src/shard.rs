//! Splits the work of a run over several machines.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximal number of shards.
const MOST: u64 = 1 << 20;

/// One part of a run: shard `index` of `count`, counted from 1. Written as `2/4`.
///
/// Work is a list of items in a fixed order. Each item belongs to exactly one shard, so all shards together do the work
/// of an unsplit run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Index of the shard, from 1.
    pub index: u64,
    /// Number of shards.
    pub count: u64,
}

impl Shard {
    /// The shard of an unsplit run.
    pub const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// Whether an item belongs to this shard. Items are counted from 0.
    pub const fn owns(self, item: u64) -> bool {
        item % self.count == self.index - 1
    }

    /// The items that belong to this shard.
    pub fn part<T>(self, items: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        let items = items.into_iter().zip(0u64..);
        items
            .filter(move |&(_, item)| self.owns(item))
            .map(|(value, _)| value)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Shard::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let (index, count) = text
            .split_once('/')
            .ok_or("not of the form i/n, such as 1/4")?;
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|error| format!("{text}: {error}"))
        };
        let shard = Shard {
            index: number(index)?,
            count: number(count)?,
        };
        if (1..=shard.count).contains(&shard.index) && shard.count <= MOST {
            Ok(shard)
        } else {
            Err(format!(
                "{text}: i counts from 1 to n, which is at most {MOST}"
            ))
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_checked() {
        assert_eq!("2/4".parse(), Ok(Shard { index: 2, count: 4 }));
        assert_eq!(Shard { index: 2, count: 4 }.to_string(), "2/4");
        for wrong in ["", "0/4", "5/4", "1", "a/b", "1/0", "1/99999999999"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_item_belongs_to_one_shard() {
        for count in 1..6 {
            let shards = (1..=count).map(|index| Shard { index, count });
            let mut items: Vec<u32> = shards.flat_map(|shard| shard.part(0..17)).collect();
            items.sort_unstable();
            assert_eq!(items, Vec::from_iter(0..17));
        }
    }
}
