//! Which of several places a channel is in, as the reference chooses it.

/// FNV-1a of 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The place, less than `places`, of something with this hash. With one place more, only what moves there moves. Without
/// any place the answer is 0.
///
/// Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm".
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the algorithm is defined by this arithmetic; all values are below 2^33"
)]
pub fn jump(mut hash: u64, places: u32) -> u32 {
    let (mut place, mut next) = (0, 0u64);
    while next < u64::from(places) {
        place = next;
        hash = hash.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((place + 1) as f64 * ((1u64 << 31) as f64 / ((hash >> 33) + 1) as f64)) as u64;
    }
    u32::try_from(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn one_more_place_moves_only_what_goes_there() {
        for places in 1..40 {
            for hash in (0..200).map(|number: u64| fnv1a(&number.to_le_bytes())) {
                let (before, after) = (jump(hash, places), jump(hash, places + 1));
                assert!(before == after || after == places, "{hash}: {before} to {after}");
            }
        }
        assert_eq!((jump(7, 0), jump(7, 1)), (0, 0));
    }

    /// Values from the paper's reference implementation, as other implementations test them.
    #[test]
    fn places_are_those_of_other_implementations() {
        assert_eq!((jump(1, 1), jump(42, 57), jump(0xdead_10cc, 1), jump(0xdead_10cc, 666)), (0, 43, 0, 361));
        assert_eq!(jump(256, 1024), 520);
    }
}
