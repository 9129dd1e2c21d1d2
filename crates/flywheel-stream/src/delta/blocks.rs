/// Length of the blocks by which the source is known, and so of the shortest repetition that is surely found.
pub(super) const BLOCK: usize = 16;

/// Blocks with the same hash that are compared before the best of them is taken. Bounds the time for a source that
/// repeats itself.
const CANDIDATES_MAX: usize = 32;

/// Every block of a source by its hash.
pub(super) struct Blocks {
    /// By hash: the last block that has it, counted from 1; 0 for none.
    heads: Vec<u32>,
    /// By block: the one before it with the same hash, counted likewise.
    earlier: Vec<u32>,
    shift: u32,
}

impl Blocks {
    /// `None` when the source has no whole block, or too many to be counted.
    pub(super) fn of(source: &[u8]) -> Option<Self> {
        let (blocks, _) = source.as_chunks::<BLOCK>();
        let count = u32::try_from(blocks.len()).ok().filter(|count| (1..=1 << 28).contains(count))?;
        let bits = (u32::BITS - count.leading_zeros()).max(4);
        let shift = u64::BITS - bits;
        let mut heads = vec![0; 1 << bits];
        let mut earlier = vec![0; blocks.len()];
        for (number, block) in (1..).zip(blocks) {
            let head = &mut heads[hash(block, shift)];
            earlier[number as usize - 1] = std::mem::replace(head, number);
        }
        Some(Self { heads, earlier, shift })
    }

    /// Where in the source blocks stand that may equal `block`, not too many.
    pub(super) fn like(&self, block: &[u8; BLOCK]) -> impl Iterator<Item = usize> {
        let mut number = self.heads[hash(block, self.shift)];
        std::iter::from_fn(move || {
            let index = (number as usize).checked_sub(1)?;
            number = self.earlier[index];
            Some(index * BLOCK)
        })
        .take(CANDIDATES_MAX)
    }
}

fn hash(block: &[u8; BLOCK], shift: u32) -> usize {
    // Odd constants without structure; the upper bits of the product depend on every byte.
    let half = |bytes: &[u8]| bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    let (low, high) = (half(&block[..8]), half(&block[8..]));
    let mixed =
        (low ^ high.rotate_left(29).wrapping_mul(0xa076_1d64_78bd_642f)).wrapping_mul(0xe703_7ed1_a0b4_28db);
    let bits = (mixed ^ mixed >> 32).wrapping_mul(0x8ebc_6af0_9c88_c6e3) >> shift;
    usize::try_from(bits).unwrap_or_default()
}
