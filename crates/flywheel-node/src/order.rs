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
const LINE_MAX: usize = 32;
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

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.order.hand_on(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(entry: Entry) -> oneshot::Receiver<Pass> {
        match entry {
            Entry::Wait(receiver) => receiver,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn passes_go_round_in_the_order_of_arrival_and_those_who_gave_up_are_passed_over() {
        let (order, channel) = (Order::default(), Channel::from("c"));
        let Entry::Now(first) = order.enter(&channel, "1") else {
            panic!("nobody has it");
        };
        let (mut second, third, mut fourth) = (
            wait(order.enter(&channel, "1")),
            wait(order.enter(&channel, "1")),
            wait(order.enter(&channel, "1")),
        );
        assert!(matches!(order.enter(&channel, "2"), Entry::Now(_)), "another client");
        assert!(matches!(order.enter(&Channel::from("d"), "1"), Entry::Now(_)), "another channel");
        assert!(second.try_recv().is_err());
        drop(first);
        let second = second.try_recv().unwrap();
        drop(third);
        assert!(fourth.try_recv().is_err());
        drop(second);
        drop(fourth.try_recv().unwrap());
        assert!(order.is_idle());
    }

    #[test]
    fn a_line_is_bounded() {
        let (order, channel) = (Order::default(), Channel::from("c"));
        let first = order.enter(&channel, "1");
        let line: Vec<_> = (0..LINE_MAX).map(|_| wait(order.enter(&channel, "1"))).collect();
        assert!(matches!(order.enter(&channel, "1"), Entry::Full));
        drop(line);
        drop(first);
        assert!(order.is_idle());
        assert_eq!(order.0.lock().count, 0);
    }
}
