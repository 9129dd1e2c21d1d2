use flywheel_model::Channel;
use flywheel_session::SubKey;
use hashbrown::HashMap;

/// A subscription of a client of this shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subscriber {
    pub slot: u32,
    pub sub: SubKey,
}

/// Which clients of this shard are subscribed to which channel.
#[derive(Debug, Default)]
pub struct Routing {
    channels: HashMap<Channel, Vec<Subscriber>>,
    subscriptions: usize,
}

impl Routing {
    /// Adds a subscriber; answers its place in the list, and whether it is the channel's first.
    pub(crate) fn add(&mut self, channel: &Channel, subscriber: Subscriber) -> (u32, bool) {
        let list = self.channels.entry_ref(channel).or_default();
        list.push(subscriber);
        self.subscriptions += 1;
        (u32::try_from(list.len() - 1).unwrap_or(u32::MAX), list.len() == 1)
    }

    /// Removes the subscriber at `place`. Answers whom that moved there, and whether the channel has nobody now.
    pub(crate) fn remove(&mut self, channel: &Channel, place: u32) -> (Option<Subscriber>, bool) {
        let Some(list) = self.channels.get_mut(channel) else {
            return (None, false);
        };
        let place = place as usize;
        if place >= list.len() {
            return (None, false);
        }
        list.swap_remove(place);
        self.subscriptions -= 1;
        let moved = list.get(place).copied();
        let empty = list.is_empty();
        if empty {
            self.channels.remove(channel);
        } else if list.len() * 4 < list.capacity() {
            list.shrink_to(list.len() * 2);
        }
        (moved, empty)
    }

    pub(crate) fn subscribers(&self, channel: &Channel) -> &[Subscriber] {
        self.channels.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Subscriptions of all clients together.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// Number of channels with a subscriber here.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether nobody is subscribed to anything.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// The channels whose name `wanted` accepts and their numbers of subscribers, in no order.
    pub fn count(&self, mut wanted: impl FnMut(&str) -> bool) -> Vec<(Channel, usize)> {
        let all = self.channels.iter().filter(|(channel, _)| wanted(channel.as_str()));
        all.map(|(channel, list)| (channel.clone(), list.len())).collect()
    }
}
