use std::collections::VecDeque;
use std::sync::Arc;

use flywheel_model::Channel;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Keeps what is done about one client in one channel in order, when the engine answers later: a presence entry that is
/// removed is not added again by a call made before, and nobody leaves before he joined.
///
/// Whoever has the [`Pass`] of a client and channel may call the engine about them; the others wait in line. The lock
/// guards the map and is held for nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Those who wait, for each pass that is out.
    waiting: HashMap<Key, VecDeque<oneshot::Sender<Pass>>>,
    count: usize,
}

type Key = (Channel, Arc<str>);

/// Calls that may wait for one client in one channel: nobody does so much within the time that a call may take.
pub(crate) const LINE_MAX: usize = 32;
/// Calls that may wait altogether.
const WAITING_MAX: usize = 100_000;

/// The right to call the engine about one client in one channel. Dropping it lets the next one have it.
#[derive(Debug)]
pub(crate) struct Pass {
    order: Order,
    key: Option<Key>,
}

/// How one gets a pass.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Here it is.
    Now(Pass),
    /// When it is one's turn. Giving up is dropping the receiver.
    Wait(oneshot::Receiver<Pass>),
    /// Too many wait already.
    Full,
}

impl Order {
    /// Asks for the pass, or for a place in the line.
    pub(crate) fn enter(&self, channel: &Channel, client: &str) -> Entry {
        let key = (channel.clone(), Arc::from(client));
        let mut lines = self.0.lock();
        let full = lines.count >= WAITING_MAX;
        let Some(line) = lines.waiting.get_mut(&key) else {
            lines.waiting.insert(key.clone(), VecDeque::new());
            return Entry::Now(Pass { order: self.clone(), key: Some(key) });
        };
        if full || line.len() >= LINE_MAX {
            return Entry::Full;
        }
        let (sender, receiver) = oneshot::channel();
        line.push_back(sender);
        lines.count += 1;
        Entry::Wait(receiver)
    }

    /// The pass if nobody has it.
    pub(crate) fn try_enter(&self, channel: &Channel, client: &str) -> Option<Pass> {
        let key: Key = (channel.clone(), Arc::from(client));
        let mut lines = self.0.lock();
        if lines.waiting.contains_key(&key) {
            return None;
        }
        lines.waiting.insert(key.clone(), VecDeque::new());
        Some(Pass { order: self.clone(), key: Some(key) })
    }

    fn hand_on(&self, key: Key) {
        let next = {
            let mut lines = self.0.lock();
            let next = lines.waiting.get_mut(&key).and_then(VecDeque::pop_front);
            if next.is_none() {
                lines.waiting.remove(&key);
                if lines.waiting.is_empty() {
                    lines.waiting.shrink_to(1024);
                }
            } else {
                lines.count -= 1;
            }
            next
        };
        if let Some(next) = next
            && let Err(given_up) = next.send(Pass { order: self.clone(), key: Some(key) })
        {
            // Who does not wait any more hands it on in turn, at most as often as the line is long.
            drop(given_up);
        }
    }

    /// Whether nobody has a pass, nor waits for one.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let lines = self.0.lock();
        lines.waiting.is_empty() && lines.count == 0
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.order.hand_on(key);
        }
    }
}
