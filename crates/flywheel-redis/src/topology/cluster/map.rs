use crate::keys::SLOTS;
use crate::link::Endpoint;
use crate::resp::Value;

/// Owners that one map may have. Redis advises against a tenth of it.
const NODES_MAX: usize = 10_000;

/// What one node says of who owns what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotAnswer {
    epoch: u64,
    ranges: Vec<(u16, u16, Endpoint)>,
    replicas: Vec<Endpoint>,
}

/// Who owns each slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMap {
    /// Place in `nodes`, plus one; 0 for nobody.
    owners: Box<[u16]>,
    nodes: Vec<Endpoint>,
    epoch: u64,
}

impl Default for SlotMap {
    /// Nobody owns anything.
    fn default() -> Self {
        Self { owners: vec![0; usize::from(SLOTS)].into(), nodes: Vec::new(), epoch: 0 }
    }
}

impl SlotAnswer {
    /// Reads the answer to `CLUSTER SLOTS` of the node at `asked`, whose cluster is at `epoch`. Ranges that make no sense are
    /// left out; `None` when nothing is left.
    ///
    /// A node that knows no name of another one gives none or `?`: it is the host that was asked then. Replicas and dead
    /// former primaries own nothing, and so do not matter.
    pub fn parse(slots: &Value, epoch: u64, asked: &Endpoint) -> Option<Self> {
        let mut answer = Self { epoch, ranges: Vec::new(), replicas: Vec::new() };
        for range in slots.items() {
            let [first, last, owner, replicas @ ..] = range.items() else { continue };
            let bound = |value: &Value| value.uint().and_then(|slot| u16::try_from(slot).ok());
            let (Some(first), Some(last), Some(owner)) = (bound(first), bound(last), node(owner, asked))
            else {
                continue;
            };
            if first > last || last >= SLOTS {
                continue;
            }
            answer.ranges.push((first, last, owner));
            answer.replicas.extend(replicas.iter().filter_map(|replica| node(replica, asked)));
        }
        answer.replicas.sort();
        answer.replicas.dedup();
        (!answer.ranges.is_empty()).then_some(answer)
    }

    /// The cluster's clock when it was given.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Every node that it names: owners and replicas.
    pub fn nodes(&self) -> impl Iterator<Item = &Endpoint> {
        self.ranges.iter().map(|(_, _, owner)| owner).chain(&self.replicas)
    }
}

fn node(value: &Value, asked: &Endpoint) -> Option<Endpoint> {
    let [host, port, ..] = value.items() else { return None };
    let port = port.uint().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0)?;
    match host.text().unwrap_or_default() {
        "" | "?" => Some(Endpoint::tcp(asked.host()?, port)),
        host => Some(Endpoint::tcp(host, port)),
    }
}

impl SlotMap {
    /// The map that an answer says; `None` when it says nothing new, or is older than what is known.
    #[must_use]
    pub fn with_answer(&self, answer: &SlotAnswer) -> Option<Self> {
        if answer.epoch < self.epoch {
            return None;
        }
        self.replaced_by(answer)
    }

    /// As [`with_answer`](Self::with_answer), but for the best answer of all nodes that can be asked, however old: it is
    /// what there is.
    #[must_use]
    pub fn replaced_by(&self, answer: &SlotAnswer) -> Option<Self> {
        let mut map = Self { epoch: answer.epoch, ..Self::default() };
        for (first, last, owner) in &answer.ranges {
            let Some(place) = map.place(owner) else { continue };
            map.owners[usize::from(*first)..=usize::from(*last)].fill(place);
        }
        (map.epoch != self.epoch || !map.is_same_as(self)).then_some(map)
    }

    /// The map after a node said that a slot moved; `None` when that is known.
    #[must_use]
    pub fn with_move(&self, slot: u16, to: &Endpoint) -> Option<Self> {
        if slot >= SLOTS || self.owner(slot) == Some(to) {
            return None;
        }
        let mut map = self.clone();
        map.owners[usize::from(slot)] = map.place(to)?;
        Some(map)
    }

    /// The owner of a slot; `None` when nobody is known to own it.
    pub fn owner(&self, slot: u16) -> Option<&Endpoint> {
        self.owner_index(slot).map(|index| &self.nodes[index])
    }

    /// Its place in [`nodes`](Self::nodes).
    pub fn owner_index(&self, slot: u16) -> Option<usize> {
        self.owners.get(usize::from(slot)).and_then(|place| usize::from(*place).checked_sub(1))
    }

    /// Everybody who owns, or owned, a slot.
    pub fn nodes(&self) -> &[Endpoint] {
        &self.nodes
    }

    /// Whether a node owns any slot.
    pub fn owns(&self, node: &Endpoint) -> bool {
        let place =
            self.nodes.iter().position(|known| known == node).and_then(|index| u16::try_from(index + 1).ok());
        place.is_some_and(|place| self.owners.contains(&place))
    }

    /// Slots without an owner.
    pub fn open_slots(&self) -> usize {
        self.owners.iter().filter(|place| **place == 0).count()
    }

    /// The first slot that a node owns; `None` when it owns none.
    pub fn first_slot_of(&self, node: &Endpoint) -> Option<u16> {
        (0..SLOTS).find(|slot| self.owner(*slot) == Some(node))
    }

    /// The cluster's clock when the answer was given that it was made of.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn is_same_as(&self, other: &Self) -> bool {
        (0..SLOTS).all(|slot| self.owner(slot) == other.owner(slot))
    }

    fn place(&mut self, node: &Endpoint) -> Option<u16> {
        let index = self.nodes.iter().position(|known| known == node).unwrap_or_else(|| {
            self.nodes.push(node.clone());
            self.nodes.len() - 1
        });
        if index >= NODES_MAX {
            return None;
        }
        u16::try_from(index + 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(host: &str, port: u16) -> Value {
        Value::Array(vec![
            Value::Bulk(host.to_owned().into()),
            Value::Int(port.into()),
            Value::Bulk("id".into()),
        ])
    }

    fn range(first: i64, last: i64, owner: (&str, u16), replicas: &[(&str, u16)]) -> Value {
        let mut items = vec![Value::Int(first), Value::Int(last), member(owner.0, owner.1)];
        items.extend(replicas.iter().map(|(host, port)| member(host, *port)));
        Value::Array(items)
    }

    fn asked() -> Endpoint {
        Endpoint::tcp("asked", 1)
    }

    fn answer(epoch: u64, ranges: Vec<Value>) -> SlotAnswer {
        SlotAnswer::parse(&Value::Array(ranges), epoch, &asked()).unwrap()
    }

    #[test]
    fn an_answer_names_owners_and_replicas_and_nonsense_is_left_out() {
        let answer = answer(
            3,
            vec![
                range(0, 99, ("a", 1), &[("r", 9)]),
                range(100, 16_383, ("", 2), &[("?", 8)]),
                range(5, 4, ("x", 1), &[]),
                range(0, 16_384, ("x", 1), &[]),
                range(-1, 4, ("x", 1), &[]),
                range(0, 4, ("x", 0), &[]),
                Value::Null,
                Value::Array(vec![Value::Int(1)]),
            ],
        );
        let names: Vec<_> = answer.nodes().map(ToString::to_string).collect();
        assert_eq!(names, ["a:1", "asked:2", "asked:8", "r:9"]);
        let map = SlotMap::default().with_answer(&answer).unwrap();
        assert_eq!(map.owner(99).unwrap().to_string(), "a:1");
        assert_eq!(map.owner(100).unwrap().to_string(), "asked:2");
        assert_eq!((map.open_slots(), map.owner(SLOTS)), (0, None));
        assert_eq!(map.first_slot_of(&Endpoint::tcp("asked", 2)), Some(100));
        assert_eq!(SlotAnswer::parse(&Value::Array(Vec::new()), 1, &asked()), None);
    }

    #[test]
    fn an_older_answer_is_not_taken_unless_it_is_all_there_is() {
        let map = SlotMap::default().with_answer(&answer(5, vec![range(0, 10, ("a", 1), &[])])).unwrap();
        let older = answer(4, vec![range(0, 10, ("b", 1), &[])]);
        assert_eq!(map.with_answer(&older), None);
        assert_eq!(map.replaced_by(&older).unwrap().owner(0), Some(&Endpoint::tcp("b", 1)));
        let same = answer(5, vec![range(0, 10, ("a", 1), &[])]);
        assert_eq!(map.with_answer(&same), None, "it is known");
        let newer = answer(6, vec![range(0, 10, ("a", 1), &[])]);
        assert_eq!(map.with_answer(&newer).unwrap().epoch(), 6);
    }

    #[test]
    fn a_moved_slot_moves_alone() {
        let map = SlotMap::default().with_answer(&answer(5, vec![range(0, 10, ("a", 1), &[])])).unwrap();
        let b = Endpoint::tcp("b", 1);
        let moved = map.with_move(3, &b).unwrap();
        assert_eq!((moved.owner(3), moved.owner(2)), (Some(&b), map.owner(2)));
        assert_eq!(moved.with_move(3, &b), None);
        assert_eq!(moved.with_move(SLOTS, &b), None);
        assert_eq!(moved.epoch(), 5);
    }

    proptest! {
        #[test]
        fn every_slot_of_a_range_has_its_last_owner(ranges in prop::collection::vec((0_u16..SLOTS, 0_u16..SLOTS, 1_u16..5), 1..12)) {
            let values = ranges.iter().map(|(a, b, owner)| {
                range(i64::from(*a.min(b)), i64::from(*a.max(b)), ("h", *owner), &[])
            });
            let map = SlotMap::default().with_answer(&answer(1, values.collect())).unwrap();
            for slot in 0..SLOTS {
                let last = ranges.iter().rev().find(|(a, b, _)| (*a.min(b)..=*a.max(b)).contains(&slot));
                let last = last.map(|(_, _, owner)| Endpoint::tcp("h", *owner));
                prop_assert_eq!(map.owner(slot), last.as_ref());
            }
        }
    }
}
