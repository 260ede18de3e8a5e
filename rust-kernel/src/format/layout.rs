//! The position of each weight's code.

use std::ops::Range;

use super::QK256;

/// The digit of a byte that holds a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digit {
    /// Two bits: `(byte >> shift) & 3`.
    Bits {
        /// 0, 2, 4 or 6.
        shift: u8,
    },
    /// A base-3 digit of a fixed-point fraction: multiply by `3^power` modulo 256, then `(q * 3) >> 8`.
    Trit {
        /// 0 to 4; the most significant digit has power 0.
        power: u8,
    },
}

impl Digit {
    /// Every digit that a byte can hold.
    pub const ALL: &[Digit; 9] = &[
        Digit::Bits { shift: 0 },
        Digit::Bits { shift: 2 },
        Digit::Bits { shift: 4 },
        Digit::Bits { shift: 6 },
        Digit::Trit { power: 0 },
        Digit::Trit { power: 1 },
        Digit::Trit { power: 2 },
        Digit::Trit { power: 3 },
        Digit::Trit { power: 4 },
    ];

    /// The code that this digit of `byte` holds.
    pub const fn read(self, byte: u8) -> u8 {
        match self {
            Digit::Bits { shift } => (byte >> shift) & 3,
            Digit::Trit { power } => {
                let shifted = byte.wrapping_mul(3u8.pow(power as u32));
                ((shifted as u16 * 3) >> 8) as u8
            }
        }
    }

    /// The term that a code adds to the byte's accumulator while packing; see [`Layout::finish_byte`].
    pub(super) const fn place(self, code: u8) -> u16 {
        match self {
            Digit::Bits { shift } => (code as u16 & 3) << shift,
            Digit::Trit { power } => code as u16 * 3u16.pow(4 - power as u32),
        }
    }
}

/// The position of one code: a byte, counted from the start of its group, and a digit of that byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Byte within the group.
    pub byte: usize,
    /// Digit within the byte.
    pub digit: Digit,
}

/// The smallest number of consecutive weights of a row that fills whole bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Weights of one row.
    pub weights: usize,
    /// Bytes that their codes take (shared by all rows of the panel).
    pub bytes: usize,
}

/// A run of bytes that use the same digits.
pub(super) struct Region {
    /// Bytes within a unit.
    pub(super) bytes: Range<usize>,
    /// The digits of each of them.
    pub(super) digits: &'static [Digit],
}

/// The arrangement of codes in bytes. The layout is not recorded in the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Byte `p` of 32 holds weights `p`, `p + 32`, `p + 64`, `p + 96` at shifts 6, 4, 2, 0.
    Group128,
    /// Byte `p` of 16 holds weights `p`, `p + 16`, `p + 32`, `p + 48` at shifts 6, 4, 2, 0.
    Group64,
    /// A byte holds one column of four consecutive rows, the first at shift 6, the last at shift 0.
    Rows4,
    /// Byte `i` holds weights `4 i` to `4 i + 3` at shifts 0, 2, 4, 6.
    Sequential,
    /// Byte `j + m` (`j` 0 or 32, `m` below 32) holds weights `4 j + m + 32 k` at shift `2 k`.
    Tq2_0,
    /// 32 bytes of five base-3 digits (weight `m + 32 k`), 16 of five (`160 + m + 16 k`), 4 of four (`240 + m + 4 k`),
    /// digit `k` the `k`-th most significant.
    Tq1_0,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Layout; 6] = [
        Layout::Group128,
        Layout::Group64,
        Layout::Rows4,
        Layout::Sequential,
        Layout::Tq2_0,
        Layout::Tq1_0,
    ];

    /// Stable name, as reports and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Group128 => "group128",
            Layout::Group64 => "group64",
            Layout::Rows4 => "rows4",
            Layout::Sequential => "sequential",
            Layout::Tq2_0 => "tq2_0",
            Layout::Tq1_0 => "tq1_0",
        }
    }

    /// The layout with this name, if any.
    pub fn by_name(name: &str) -> Option<Layout> {
        Layout::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// Rows that share bytes.
    pub const fn panel_rows(self) -> usize {
        match self {
            Layout::Rows4 => 4,
            _ => 1,
        }
    }

    /// The group of this layout.
    pub const fn group(self) -> Group {
        match self {
            Layout::Group128 => Group {
                weights: 128,
                bytes: 32,
            },
            Layout::Group64 => Group {
                weights: 64,
                bytes: 16,
            },
            Layout::Rows4 => Group {
                weights: 1,
                bytes: 1,
            },
            Layout::Sequential => Group {
                weights: 4,
                bytes: 1,
            },
            Layout::Tq2_0 => Group {
                weights: QK256,
                bytes: 64,
            },
            Layout::Tq1_0 => Group {
                weights: QK256,
                bytes: 52,
            },
        }
    }

    /// Bytes that the codes of one block of [`QK256`] columns take in one panel.
    pub const fn block_bytes(self) -> usize {
        QK256 / self.group().weights * self.group().bytes
    }

    /// The slot of weight `weight` of a group, in row `row` of its panel.
    ///
    /// # Panics
    ///
    /// Never. The slot of a weight outside the group is outside the bytes of the group.
    pub const fn slot(self, row: usize, weight: usize) -> Slot {
        match self {
            Layout::Group128 => interleaved(32, weight),
            Layout::Group64 => interleaved(16, weight),
            Layout::Rows4 => Slot {
                byte: weight,
                digit: Digit::Bits {
                    shift: 6 - 2 * (row % 4) as u8,
                },
            },
            Layout::Sequential => Slot {
                byte: weight / 4,
                digit: Digit::Bits {
                    shift: 2 * (weight % 4) as u8,
                },
            },
            Layout::Tq2_0 => Slot {
                byte: weight / 128 * 32 + weight % 32,
                digit: Digit::Bits {
                    shift: 2 * (weight % 128 / 32) as u8,
                },
            },
            Layout::Tq1_0 => {
                let (start, first_byte, stride) = match weight {
                    0..160 => (0, 0, 32),
                    160..240 => (160, 32, 16),
                    _ => (240, 48, 4),
                };
                let rest = weight - start;
                Slot {
                    byte: first_byte + rest % stride,
                    digit: Digit::Trit {
                        power: (rest / stride) as u8,
                    },
                }
            }
        }
    }

    /// The bytes of a unit of `weights` weights, as runs that use the same digits.
    pub(super) fn regions(self, weights: usize) -> Vec<Region> {
        let (bits, trits) = Digit::ALL.split_at(4);
        match self {
            Layout::Tq1_0 => vec![
                Region {
                    bytes: 0..48,
                    digits: trits,
                },
                Region {
                    bytes: 48..52,
                    digits: &trits[..4],
                },
            ],
            _ => vec![Region {
                bytes: 0..weights / self.group().weights * self.group().bytes,
                digits: bits,
            }],
        }
    }

    /// The byte for the sum of the terms of [`Digit::place`].
    pub(super) const fn finish_byte(self, placed: u16) -> u8 {
        match self {
            // The fraction is rounded up, so that truncation while reading yields the same digits.
            Layout::Tq1_0 => (placed * 256).div_ceil(243) as u8,
            _ => placed as u8,
        }
    }
}

/// A slot of the layouts in which byte `p` of `quarter` holds weights `p + quarter * k` at shifts 6, 4, 2, 0.
const fn interleaved(quarter: usize, weight: usize) -> Slot {
    let group = weight / (4 * quarter);
    let rest = weight % (4 * quarter);
    Slot {
        byte: group * quarter + rest % quarter,
        digit: Digit::Bits {
            shift: 6 - 2 * (rest / quarter) as u8,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slots_of_a_panel_are_distinct_and_inside_the_group() {
        for layout in Layout::ALL {
            let Group { weights, bytes } = layout.group();
            let mut seen = HashSet::new();
            for row in 0..layout.panel_rows() {
                for weight in 0..weights {
                    let slot = layout.slot(row, weight);
                    assert!(slot.byte < bytes, "{layout:?}: weight {weight} at {slot:?}");
                    assert!(seen.insert(slot), "{layout:?}: two weights at {slot:?}");
                }
            }
        }
    }

    #[test]
    fn anchors_of_each_layout() {
        let bits = |byte, shift| Slot {
            byte,
            digit: Digit::Bits { shift },
        };
        let trit = |byte, power| Slot {
            byte,
            digit: Digit::Trit { power },
        };
        assert_eq!(Layout::Group128.slot(0, 0), bits(0, 6));
        assert_eq!(Layout::Group128.slot(0, 33), bits(1, 4));
        assert_eq!(Layout::Group128.slot(0, 127), bits(31, 0));
        assert_eq!(Layout::Group64.slot(0, 17), bits(1, 4));
        assert_eq!(Layout::Group64.slot(0, 63), bits(15, 0));
        assert_eq!(Layout::Rows4.slot(3, 0), bits(0, 0));
        assert_eq!(Layout::Sequential.slot(0, 3), bits(0, 6));
        assert_eq!(Layout::Tq2_0.slot(0, 0), bits(0, 0));
        assert_eq!(Layout::Tq2_0.slot(0, 128 + 32 + 5), bits(37, 2));
        assert_eq!(Layout::Tq1_0.slot(0, 159), trit(31, 4));
        assert_eq!(Layout::Tq1_0.slot(0, 160), trit(32, 0));
        assert_eq!(Layout::Tq1_0.slot(0, 255), trit(51, 3));
    }

    #[test]
    fn a_packed_trit_reads_back_for_all_243_bytes() {
        for n in 0..243u16 {
            let digits: [u8; 5] = std::array::from_fn(|k| (n / 3u16.pow(4 - k as u32) % 3) as u8);
            let digit = |power| Digit::Trit { power };
            let placed = (0..5).map(|k| digit(k).place(digits[k as usize])).sum();
            let byte = Layout::Tq1_0.finish_byte(placed);
            for k in 0..5 {
                assert_eq!(
                    digit(k).read(byte),
                    digits[k as usize],
                    "n = {n}, digit {k}"
                );
            }
        }
    }

    #[test]
    fn names_read_back() {
        for layout in Layout::ALL {
            assert_eq!(Layout::by_name(layout.name()), Some(layout));
        }
        assert_eq!(Layout::by_name("group32"), None);
    }
}
