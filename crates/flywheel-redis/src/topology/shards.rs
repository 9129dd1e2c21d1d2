use crate::keys::SLOTS;
use crate::placement::{fnv1a, jump};

/// Which of `shards` carries a channel; 0 for a single one.
///
/// Source: the reference places channels so, which decides where their history lies.
pub fn shard_of(channel: &[u8], shards: usize) -> usize {
    if shards <= 1 {
        return 0;
    }
    let places = u32::try_from(shards).unwrap_or(u32::from(SLOTS));
    usize::try_from(jump(fnv1a(channel), places)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_more_shard_takes_channels_only_to_itself(channel: Vec<u8>, shards in 1_usize..64) {
            let (before, after) = (shard_of(&channel, shards), shard_of(&channel, shards + 1));
            prop_assert!(before < shards);
            prop_assert!(after == before || after == shards);
        }
    }
}
