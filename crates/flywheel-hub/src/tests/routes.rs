use std::collections::BTreeMap;

use flywheel_model::Channel;
use flywheel_protocol::client::Encoding;
use flywheel_session::SubKey;
use proptest::prelude::*;

use super::shard::Shard;

const CHANNELS: [&str; 3] = ["a", "b", "c"];
const SLOTS: u32 = 5;

fn check(shard: &Shard, model: &BTreeMap<(u32, u32), usize>) {
    for (index, channel) in CHANNELS.iter().enumerate() {
        let subscribers = shard.hub.routing().subscribers(&Channel::from(*channel));
        let mut actual: Vec<_> = subscribers.iter().map(|one| (one.slot, one.sub.0)).collect();
        actual.sort_unstable();
        let expected: Vec<_> = model.iter().filter(|(_, at)| **at == index).map(|(key, _)| *key).collect();
        assert_eq!(actual, expected, "{channel}");
    }
    let routing = shard.hub.routing();
    assert_eq!(routing.subscriptions(), model.len());
    let used = CHANNELS.iter().enumerate().filter(|(index, _)| model.values().any(|at| at == index)).count();
    assert_eq!((routing.len(), routing.count(|_| true).len()), (used, used));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn routes_lead_to_whom_a_plain_map_says(
        steps in prop::collection::vec((0..SLOTS, 0u32..4, 0usize..4), 1..200)
    ) {
        let mut shard = Shard::new(1_000_000);
        (0..SLOTS).for_each(|slot| shard.open(slot, 0, Encoding::Json, "42"));
        let mut model = BTreeMap::new();
        for (generation, (slot, sub, step)) in steps.into_iter().enumerate() {
            let key = SubKey(sub);
            match (model.get(&(slot, sub)).copied(), step) {
                (Some(at), 0 | 1) => {
                    let at: usize = at;
                    model.remove(&(slot, sub));
                    let last = shard.hub.detach(slot, key, &CHANNELS[at].into());
                    prop_assert_eq!(last, !model.values().any(|other| *other == at));
                    prop_assert!(!shard.hub.detach(slot, key, &CHANNELS[at].into()), "a second time does nothing");
                }
                (_, 3) => {
                    // The connection ends and its slot is used again.
                    for (key, at) in model.extract_if((slot, 0)..(slot + 1, 0), |_, _| true) {
                        shard.hub.detach(slot, SubKey(key.1), &CHANNELS[at].into());
                    }
                    shard.hub.remove(slot);
                    shard.open(slot, u32::try_from(generation).unwrap() + 1, Encoding::Json, "42");
                }
                (None, channel) => {
                    let first = shard.hub.attach(slot, key, &CHANNELS[channel].into());
                    prop_assert_eq!(first, !model.values().any(|other| *other == channel));
                    model.insert((slot, sub), channel);
                }
                (Some(_), _) => {}
            }
            check(&shard, &model);
        }
    }
}
