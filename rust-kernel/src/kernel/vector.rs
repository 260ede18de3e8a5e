//! The vector operations of the SIMD kernels.
//!
//! A [`Vector`] is a CPU token with vector operations. The token proves that the CPU has the features, so its
//! operations are safe, and all code above this trait is safe code. A *step* is 64 bytes in as many registers as
//! needed. All instruction sets use the same step, so lengths are part of the types.

use super::arithmetic::INT_LANES;
use super::float16::half_to_f32;
use super::trits::{TRIT_BYTES, trits};

/// Bytes in a step.
pub(super) const STEP: usize = 64;

/// The registers and operations of one instruction set, implemented by its token.
///
/// Products have an unsigned code and an int8 activation as factors. They are accumulated in two stages: a `Narrow`
/// accumulator can be too narrow for a whole row, and is added to a `Wide` one before it can overflow.
pub(super) trait Vector: Copy {
    /// 64 bytes.
    type Step: Copy;
    /// Accumulator of products of a limited number of blocks.
    type Narrow: Copy;
    /// Accumulator of int32 lanes. It can hold a row of [`Storage::MAX_COLS`](crate::format::Storage::MAX_COLS)
    /// columns.
    type Wide: Copy;
    /// Accumulator of the scaled blocks of a row, in the order of [`SumOrder::REFERENCE`](super::SumOrder::REFERENCE).
    type Scaled: Copy;

    /// Number of blocks of codes up to 3 that one `Narrow` can accumulate with [`mul_add`](Vector::mul_add).
    const BLOCKS: usize;
    /// Number of groups of 128 codes up to 12 that a pair of `Narrow` can accumulate with
    /// [`mul_add_group`](Vector::mul_add_group): at least the two groups of a block.
    const SCALED_GROUPS: usize;

    /// Loads a step.
    fn load(self, bytes: &[u8; STEP]) -> Self::Step;
    /// Loads a step of signed bytes.
    fn load_signed(self, bytes: &[i8; STEP]) -> Self::Step;
    /// Stores a step.
    fn store(self, step: Self::Step, bytes: &mut [u8; STEP]);

    /// `byte & mask` for each byte.
    fn and(self, step: Self::Step, mask: u8) -> Self::Step;
    /// `byte >> SHIFT` for each byte. Only the low `8 - SHIFT` bits are defined.
    fn shift_right<const SHIFT: i32>(self, step: Self::Step) -> Self::Step;

    /// Unpacks 32 bytes to 128 codes: code `32 k + p` is the digit of byte `p` at shift `6 - 2 k`, or `2 k` if
    /// `ASCENDING`.
    fn unpack_128<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2];
    /// Like [`unpack_128`](Vector::unpack_128), with the codes of even `k` (of odd `k` if `ASCENDING`) multiplied by 4,
    /// which saves shifts.
    fn unpack_128_scaled<const ASCENDING: bool>(self, bytes: &[u8; 32]) -> [Self::Step; 2];
    /// Unpacks 16 bytes to 64 codes: code `16 k + p` is the digit of byte `p` at shift `6 - 2 k`.
    fn unpack_64(self, bytes: &[u8; 16]) -> Self::Step;
    /// Unpacks 16 bytes to 64 codes: code `4 i + k` is the digit of byte `i` at shift `2 k`.
    fn unpack_64_sequential(self, bytes: &[u8; 16]) -> Self::Step;
    /// The codes of a TQ1_0 block; see [`trits`].
    #[inline(always)]
    fn trits(self, bytes: &[u8; TRIT_BYTES]) -> [Self::Step; 4] {
        let codes = trits(bytes);
        let ([a, b, c, d], _) = codes.as_chunks() else {
            unreachable!("four steps make a block")
        };
        [self.load(a), self.load(b), self.load(c), self.load(d)]
    }
    /// Converts a little-endian f16 to f32.
    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        half_to_f32(bytes)
    }

    /// A `Narrow` of zeros.
    fn narrow(self) -> Self::Narrow;
    /// A `Wide` of zeros.
    fn wide(self) -> Self::Wide;
    /// Adds the products of a step.
    fn mul_add(self, sum: Self::Narrow, codes: Self::Step, a: Self::Step) -> Self::Narrow;
    /// Adds the products of 128 codes. Even and odd runs of 32 codes stay separate until [`join`](Vector::join).
    fn mul_add_group(
        self,
        sums: [Self::Narrow; 2],
        codes: [Self::Step; 2],
        a: [Self::Step; 2],
    ) -> [Self::Narrow; 2];
    /// Adds `narrow` to `wide`.
    fn widen(self, wide: Self::Wide, narrow: Self::Narrow) -> Self::Wide;
    /// Adds the even and odd runs that [`mul_add_group`](Vector::mul_add_group) keeps separate. Right shifts by `even`
    /// and `odd` undo their scaling.
    fn join(self, sums: [Self::Wide; 2], even: i32, odd: i32) -> Self::Wide;
    /// The sum of all lanes.
    fn horizontal_sum(self, wide: Self::Wide) -> i32;
    /// The sum of all lanes of each accumulator.
    #[inline(always)]
    fn horizontal_sums(self, wide: [Self::Wide; 8]) -> [i32; 8] {
        let mut sums = [0; 8];
        for (sum, wide) in sums.iter_mut().zip(wide) {
            *sum = self.horizontal_sum(wide);
        }
        sums
    }
    /// A `Scaled` of zeros.
    fn scaled(self) -> Self::Scaled;
    /// Adds a block, as [`BlockSum`](super::arithmetic::BlockSum) does: the integers of `wide`, in lanes `code % 32 /
    /// 4`, minus `offsets`, times `scale`.
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

/// Tests that compare the operations of an instruction set with plain Rust.
#[cfg(test)]
pub(super) mod tests {
    use super::super::SumOrder;
    use super::super::arithmetic::BlockSum;
    use super::*;

    /// Deterministic pseudo-random bytes.
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
        // The largest products of either sign, and different products.
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
        let shifted = v.and(v.shift_right::<6>(step), 3);
        assert_eq!(stored(v, &[shifted]), x.map(|x| x >> 6));
        let shifted = v.and(v.shift_right::<4>(step), 15);
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
        assert_eq!(stored(v, &v.unpack_128::<false>(&x)), quarter(down, [1; 4]));
        assert_eq!(stored(v, &v.unpack_128::<true>(&x)), quarter(up, [1; 4]));
        let scaled = stored(v, &v.unpack_128_scaled::<false>(&x));
        assert_eq!(scaled, quarter(down, [4, 1, 4, 1]));
        let scaled = stored(v, &v.unpack_128_scaled::<true>(&x));
        assert_eq!(scaled, quarter(up, [1, 4, 1, 4]));

        let y: [u8; 16] = bytes(seed);
        let wanted: Vec<u8> = (0..64).map(|i| digit(y[i % 16], 6 - i / 16 * 2)).collect();
        assert_eq!(stored(v, &[v.unpack_64(&y)]), wanted);
        let wanted: Vec<u8> = (0..64).map(|i| digit(y[i / 4], i % 4 * 2)).collect();
        assert_eq!(stored(v, &[v.unpack_64_sequential(&y)]), wanted);

        let z = bytes(seed);
        assert_eq!(stored(v, &v.trits(&z)), trits(&z));
    }

    /// Adds three blocks. Their f32 sum depends on the order of additions and on every rounding.
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

    /// Checks the horizontal sums of eight different vectors.
    fn sums_keep_apart<V: Vector>(v: V, wide: V::Wide) {
        let one = v.mul_add(v.narrow(), v.load(&[1; STEP]), v.load_signed(&[1; STEP]));
        let mut growing = [wide; 8];
        for i in 1..growing.len() {
            growing[i] = v.widen(growing[i - 1], one);
        }
        let wanted: [i32; 8] = std::array::from_fn(|i| v.horizontal_sum(wide) + (i * STEP) as i32);
        assert_eq!(v.horizontal_sums(growing), wanted);
    }

    fn products_are_added<V: Vector>(v: V, a: [i8; STEP]) {
        let dot = |codes: &[u8; STEP], lanes: std::ops::Range<usize>| -> i32 {
            lanes.map(|i| i32::from(codes[i]) * i32::from(a[i])).sum()
        };
        let signed = v.load_signed(&a);

        // One narrow accumulator, filled to its limit. Int32 lanes have no limit that matters here.
        let blocks = V::BLOCKS.min(100);
        for codes in [[3; STEP], bytes(3).map(|b| b & 3)] {
            let mut narrow = v.narrow();
            for _ in 0..blocks * 4 {
                narrow = v.mul_add(narrow, v.load(&codes), signed);
            }
            let wide = v.widen(v.widen(v.wide(), narrow), narrow);
            let times = 2 * 4 * blocks as i32;
            assert_eq!(v.horizontal_sum(wide), times * dot(&codes, 0..STEP));
            sums_keep_apart(v, wide);
            let lane =
                |l: usize| dot(&codes, 4 * l..4 * l + 4) + dot(&codes, 32 + 4 * l..36 + 4 * l);
            blocks_are_scaled(v, wide, std::array::from_fn(|l| times * lane(l)));
        }

        // A pair of accumulators, with either half multiplied by 4.
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
                let sum = v.horizontal_sum(v.join(wide, even, odd));
                assert_eq!(sum, times * dot(&codes, 0..STEP));
            }
        }
    }
}
