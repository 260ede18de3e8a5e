//! The operations that SIMD kernels are written over.
//!
//! A [`Vector`] is a CPU token that knows how to compute: having the token is what makes its operations safe, so that
//! everything above this trait is safe code. A *step* is 64 bytes held in registers, however many that takes; all
//! instruction sets work in steps, which keeps the lengths in the types.

use super::arithmetic::INT_LANES;
use super::float16::half_to_f32;
use super::trits::{TRIT_BYTES, trits};

/// Bytes in a step.
pub(super) const STEP: usize = 64;

/// One instruction set's registers and operations. Implemented by its token.
///
/// Products are of unsigned codes and int8 activations. They are added in two stages: a `Narrow` accumulator may be
/// too narrow for a whole row and is emptied into a `Wide` one in time.
pub(super) trait Vector: Copy {
    /// 64 bytes.
    type Step: Copy;
    /// Accumulates products for a limited number of blocks.
    type Narrow: Copy;
    /// Int32 lanes, enough for a row of [`Storage::MAX_COLS`](crate::format::Storage::MAX_COLS).
    type Wide: Copy;
    /// Adds up the scaled blocks of a row in the order of [`SumOrder::REFERENCE`](super::SumOrder::REFERENCE).
    type Scaled: Copy;

    /// Blocks of 256 codes up to 3 that one `Narrow` takes in by [`mul_add`](Vector::mul_add).
    const BLOCKS: usize;
    /// Groups of 128 codes up to 12 that a pair of `Narrow` takes in by [`mul_add_group`](Vector::mul_add_group): those
    /// of a block at least.
    const SCALED_GROUPS: usize;

    /// Reads a step.
    fn load(self, bytes: &[u8; STEP]) -> Self::Step;
    /// Reads a step of signed bytes.
    fn load_signed(self, bytes: &[i8; STEP]) -> Self::Step;
    /// Writes a step.
    fn store(self, step: Self::Step, bytes: &mut [u8; STEP]);

    /// `byte & mask` for each byte.
    fn and(self, step: Self::Step, mask: u8) -> Self::Step;
    /// `byte >> SHIFT` for each byte in its low `8 - SHIFT` bits; those above may hold anything.
    fn shift_down<const SHIFT: i32>(self, step: Self::Step) -> Self::Step;

    /// 128 codes of 32 bytes: code `32 k + p` is the digit of byte `p` at shift `6 - 2 k`, or `2 k` if `ASCENDING`.
    fn quarters<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2];
    /// The same with some codes times 4, which saves shifts: those of even `k`, or of odd `k` if `ASCENDING`.
    fn scaled_quarters<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2];
    /// 64 codes of 16 bytes: code `16 k + p` is the digit of byte `p` at shift `6 - 2 k`.
    fn sixteenths(self, bytes: &[u8; 16]) -> Self::Step;
    /// 64 codes of 16 bytes: code `4 i + k` is the digit of byte `i` at shift `2 k`.
    fn expand(self, bytes: &[u8; 16]) -> Self::Step;
    /// The codes of a TQ1_0 block; see [`trits`].
    #[inline(always)]
    fn trits(self, bytes: &[u8; TRIT_BYTES]) -> [Self::Step; 4] {
        let codes = trits(bytes);
        let ([a, b, c, d], _) = codes.as_chunks() else {
            unreachable!("four steps make a block")
        };
        [self.load(a), self.load(b), self.load(c), self.load(d)]
    }
    /// The f32 of a little-endian f16.
    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        half_to_f32(bytes)
    }

    /// Nothing yet.
    fn narrow(self) -> Self::Narrow;
    /// Nothing yet.
    fn wide(self) -> Self::Wide;
    /// Adds the products of a step.
    fn mul_add(self, sum: Self::Narrow, codes: Self::Step, a: Self::Step) -> Self::Narrow;
    /// Adds the products of 128 codes and keeps even and odd runs of 32 codes apart until [`join`](Vector::join).
    fn mul_add_group(
        self,
        sums: [Self::Narrow; 2],
        codes: [Self::Step; 2],
        a: [Self::Step; 2],
    ) -> [Self::Narrow; 2];
    /// Empties `narrow` into `wide`.
    fn widen(self, wide: Self::Wide, narrow: Self::Narrow) -> Self::Wide;
    /// Adds what [`mul_add_group`](Vector::mul_add_group) kept apart, even and odd runs shifted down, which undoes
    /// their scaling.
    fn join(self, sums: [Self::Wide; 2], even: i32, odd: i32) -> Self::Wide;
    /// The sum of all lanes.
    fn sum(self, wide: Self::Wide) -> i32;
    /// The sums of all lanes of each.
    #[inline(always)]
    fn sums(self, wide: [Self::Wide; 8]) -> [i32; 8] {
        let mut sums = [0; 8];
        for (sum, wide) in sums.iter_mut().zip(wide) {
            *sum = self.sum(wide);
        }
        sums
    }
    /// Nothing yet.
    fn scaled(self) -> Self::Scaled;
    /// Adds a block as [`BlockSum`](super::arithmetic::BlockSum) does: the integers of `wide`, lane `code % 32 / 4`, less
    /// `offsets`, times `scale`.
    fn add_scaled(
        self,
        sum: Self::Scaled,
        wide: Self::Wide,
        offsets: &[i32; INT_LANES],
        scale: f32,
    ) -> Self::Scaled;
    /// The sum of all blocks.
    fn finish(self, sum: Self::Scaled) -> f32;
}

/// Tests of an instruction set's operations against plain Rust.
#[cfg(test)]
pub(super) mod tests {
    use super::super::SumOrder;
    use super::super::arithmetic::BlockSum;
    use super::*;

    /// Bytes that look random, the same every time.
    fn bytes<const N: usize>(seed: u32) -> [u8; N] {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        std::array::from_fn(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        })
    }

    fn stored<V: Vector>(v: V, steps: &[V::Step]) -> Vec<u8> {
        let mut out = Vec::new();
        for &step in steps {
            let mut bytes = [0; STEP];
            v.store(step, &mut bytes);
            out.extend(bytes);
        }
        out
    }

    /// Checks every operation.
    pub(in super::super) fn check<V: Vector>(v: V) {
        for bits in 0..=u16::MAX {
            let bytes = bits.to_le_bytes();
            assert_eq!(
                v.half(bytes).to_bits(),
                half_to_f32(bytes).to_bits(),
                "{bits:#06x}"
            );
        }
        for seed in 0..50 {
            bytes_move(v, seed);
            digits_are_read(v, seed);
        }
        // The largest products of either sign, and products that differ.
        for a in [[127; STEP], [-128; STEP], bytes(7).map(|a| a as i8)] {
            products_are_added(v, a);
        }
    }

    fn bytes_move<V: Vector>(v: V, seed: u32) {
        let x: [u8; STEP] = bytes(seed);
        let step = v.load(&x);
        assert_eq!(stored(v, &[step]), x);
        assert_eq!(stored(v, &[v.load_signed(&x.map(|x| x as i8))]), x);
        assert_eq!(stored(v, &[v.and(step, 0x35)]), x.map(|x| x & 0x35));
        let shifted = v.and(v.shift_down::<6>(step), 3);
        assert_eq!(stored(v, &[shifted]), x.map(|x| x >> 6));
        let shifted = v.and(v.shift_down::<4>(step), 15);
        assert_eq!(stored(v, &[shifted]), x.map(|x| x >> 4));
    }

    fn digits_are_read<V: Vector>(v: V, seed: u32) {
        let x: [u8; 32] = bytes(seed);
        let digit = |byte: u8, shift: usize| (byte >> shift) & 3;
        let quarter = |shifts: [usize; 4], factors: [u8; 4]| -> Vec<u8> {
            (0..128)
                .map(|i| digit(x[i % 32], shifts[i / 32]) * factors[i / 32])
                .collect()
        };
        let (down, up) = ([6, 4, 2, 0], [0, 2, 4, 6]);
        assert_eq!(stored(v, &v.quarters::<false>(&x)), quarter(down, [1; 4]));
        assert_eq!(stored(v, &v.quarters::<true>(&x)), quarter(up, [1; 4]));
        let scaled = stored(v, &v.scaled_quarters::<false>(&x));
        assert_eq!(scaled, quarter(down, [4, 1, 4, 1]));
        let scaled = stored(v, &v.scaled_quarters::<true>(&x));
        assert_eq!(scaled, quarter(up, [1, 4, 1, 4]));

        let y: [u8; 16] = bytes(seed);
        let wanted: Vec<u8> = (0..64).map(|i| digit(y[i % 16], 6 - i / 16 * 2)).collect();
        assert_eq!(stored(v, &[v.sixteenths(&y)]), wanted);
        let wanted: Vec<u8> = (0..64).map(|i| digit(y[i / 4], i % 4 * 2)).collect();
        assert_eq!(stored(v, &[v.expand(&y)]), wanted);

        let z = bytes(seed);
        assert_eq!(stored(v, &v.trits(&z)), trits(&z));
    }

    /// Three blocks, whose f32 sum depends on the order of additions and on every rounding.
    fn blocks_are_scaled<V: Vector>(v: V, wide: V::Wide, lanes: [i32; INT_LANES]) {
        let mut sum = v.scaled();
        let mut wanted = BlockSum::new(SumOrder::REFERENCE);
        for (seed, scale) in [(1, 0.1), (2, 1e7), (3, -0.37)] {
            let offsets = bytes::<INT_LANES>(seed).map(i32::from);
            sum = v.add_scaled(sum, wide, &offsets, scale);
            let block = std::array::from_fn(|lane| lanes[lane] - offsets[lane]);
            wanted.add(block, scale);
        }
        assert_eq!(v.finish(sum).to_bits(), wanted.finish().to_bits());
    }

    /// Eight different vectors.
    fn sums_keep_apart<V: Vector>(v: V, wide: V::Wide) {
        let one = v.mul_add(v.narrow(), v.load(&[1; STEP]), v.load_signed(&[1; STEP]));
        let mut growing = [wide; 8];
        for i in 1..growing.len() {
            growing[i] = v.widen(growing[i - 1], one);
        }
        let wanted: [i32; 8] = std::array::from_fn(|i| v.sum(wide) + (i * STEP) as i32);
        assert_eq!(v.sums(growing), wanted);
    }

    fn products_are_added<V: Vector>(v: V, a: [i8; STEP]) {
        let dot = |codes: &[u8; STEP], lanes: std::ops::Range<usize>| -> i32 {
            lanes.map(|i| i32::from(codes[i]) * i32::from(a[i])).sum()
        };
        let signed = v.load_signed(&a);

        // One narrow accumulator, filled as far as its limit allows; int32 lanes need no limit here.
        let blocks = V::BLOCKS.min(100);
        for codes in [[3; STEP], bytes(3).map(|b| b & 3)] {
            let mut narrow = v.narrow();
            for _ in 0..blocks * 4 {
                narrow = v.mul_add(narrow, v.load(&codes), signed);
            }
            let wide = v.widen(v.widen(v.wide(), narrow), narrow);
            let times = 2 * 4 * blocks as i32;
            assert_eq!(v.sum(wide), times * dot(&codes, 0..STEP));
            sums_keep_apart(v, wide);
            let lane =
                |l: usize| dot(&codes, 4 * l..4 * l + 4) + dot(&codes, 32 + 4 * l..36 + 4 * l);
            blocks_are_scaled(v, wide, std::array::from_fn(|l| times * lane(l)));
        }

        // A pair, with either half times 4.
        let groups = V::SCALED_GROUPS.min(100);
        for (factors, even, odd) in [([4, 1], 2, 0), ([1, 4], 0, 2)] {
            for codes in [[3; STEP], bytes(5).map(|b| b & 3)] {
                let scaled: [u8; STEP] = std::array::from_fn(|i| codes[i] * factors[i / 32]);
                let mut narrow = [v.narrow(); 2];
                for _ in 0..groups {
                    narrow = v.mul_add_group(narrow, [v.load(&scaled); 2], [signed; 2]);
                }
                let wide = narrow.map(|narrow| v.widen(v.wide(), narrow));
                let times = 2 * groups as i32;
                let sum = v.sum(v.join(wide, even, odd));
                assert_eq!(sum, times * dot(&codes, 0..STEP));
            }
        }
    }
}
