use std::collections::BTreeMap;
use std::time::Duration;

use flywheel_model::Timestamp;

/// How often nodes say that they are there, and how long silence is tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Time between two pings of a node.
    pub ping_every: Duration,
    /// A node that was not heard for longer is dropped.
    pub silence_max: Duration,
    /// The own pings, which come back like those of others, may be missing for this long. Long enough for one lost ping,
    /// and so short that a node says that it is deaf before its list of nodes has been wrong for two rounds.
    pub echo_max: Duration,
}

impl Timing {
    /// The reference pings every 3 s and drops a node after 7 s.
    pub const REFERENCE: Self = Self {
        ping_every: Duration::from_secs(3),
        silence_max: Duration::from_secs(7),
        echo_max: Duration::from_millis(6500),
    };
}

/// What a peer says of itself and its view, beyond that it is there. Nodes of other makes do not say it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// UIDs of the nodes that it hears.
    pub hears: Vec<String>,
    /// It is fit to serve.
    pub ready: bool,
    /// Its own messages come through, as far as it can tell.
    pub sound: bool,
}

/// Whether this node's messages come through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Soundness {
    /// As far as can be told.
    Sound,
    /// No ping could be sent since this moment.
    Unsent(Timestamp),
    /// Pings are sent, but have not come back since this moment: they get lost, or nothing is received.
    NoEcho(Timestamp),
    /// More than half of the nodes that are heard do not hear this one.
    Unheard {
        /// How many do not.
        by: usize,
        /// Of how many.
        of: usize,
        /// Since when.
        since: Timestamp,
    },
}

/// Rounds that a node must be missing from a peer's list.
const ROUNDS: u32 = 2;

#[derive(Debug, Clone)]
struct Peer<I> {
    info: I,
    heard_at: Timestamp,
    said: Option<Said>,
    /// Rounds in a row in which the peer did not hear this node, although it had sent something.
    misses: u32,
    missed_since: Timestamp,
    /// When the last round ended.
    round_at: Timestamp,
}

/// The nodes that one node hears. `I` is what is known of a node.
#[derive(Debug, Clone)]
pub struct View<I> {
    uid: String,
    timing: Timing,
    peers: BTreeMap<String, Peer<I>>,
    sent_at: Option<Timestamp>,
    echo_at: Timestamp,
}

impl<I> View<I> {
    /// The view of a node that begins now and hears nobody.
    pub fn new(uid: &str, timing: Timing, now: Timestamp) -> Self {
        Self { uid: uid.to_owned(), timing, peers: BTreeMap::new(), sent_at: None, echo_at: now }
    }

    /// A ping to all was accepted for carrying; `at` is when it was given away, as it may be back by now.
    pub fn handle_sent(&mut self, at: Timestamp) {
        self.sent_at = Some(at);
    }

    /// The node's own ping came back.
    pub fn handle_echo(&mut self, now: Timestamp) {
        self.echo_at = now;
    }

    /// A ping came. Answers whether the node was not known, so that it is to be greeted.
    pub fn handle_ping(&mut self, now: Timestamp, uid: &str, info: I, said: Option<Said>) -> bool {
        let (own, sent_at) = (&self.uid, self.sent_at);
        let Some(peer) = self.peers.get_mut(uid) else {
            let peer = Peer { info, heard_at: now, said, misses: 0, missed_since: now, round_at: now };
            self.peers.insert(uid.to_owned(), peer);
            return true;
        };
        (peer.info, peer.heard_at, peer.said) = (info, now, said);
        let misses = peer.said.as_ref().is_some_and(|said| said.sound && !said.hears.contains(own));
        if !misses {
            peer.misses = 0;
            peer.round_at = now;
        } else if sent_at.is_some_and(|sent_at| sent_at >= peer.round_at) {
            // It could have heard something since the last round.
            if peer.misses == 0 {
                peer.missed_since = now;
            }
            peer.misses += 1;
            peer.round_at = now;
        }
        false
    }

    /// A node said that it leaves. Answers whether it was known.
    pub fn handle_leave(&mut self, uid: &str) -> bool {
        self.peers.remove(uid).is_some()
    }

    /// Drops nodes that have been silent for too long, and names them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<String> {
        let silence_max = self.timing.silence_max;
        let silent = |peer: &Peer<I>| now.since(peer.heard_at) > silence_max;
        let gone: Vec<String> =
            self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(uid, _)| uid.clone()).collect();
        for uid in &gone {
            self.peers.remove(uid);
        }
        gone
    }

    /// Whether this node's messages come through.
    pub fn soundness(&self, now: Timestamp) -> Soundness {
        if now.since(self.echo_at) > self.timing.echo_max {
            let sent = self.sent_at.is_some_and(|sent_at| sent_at > self.echo_at);
            return if sent { Soundness::NoEcho(self.echo_at) } else { Soundness::Unsent(self.echo_at) };
        }
        let judges = self.peers.values().filter(|peer| peer.said.as_ref().is_some_and(|said| said.sound));
        let (mut of, mut by, mut since) = (0, 0, now);
        for peer in judges {
            of += 1;
            if peer.misses >= ROUNDS {
                by += 1;
                since = since.min(peer.missed_since);
            }
        }
        if by * 2 > of { Soundness::Unheard { by, of, since } } else { Soundness::Sound }
    }

    /// Names of the nodes that are heard, this one among them while its own pings come back.
    pub fn hears(&self, now: Timestamp) -> Vec<String> {
        let own = (now.since(self.echo_at) <= self.timing.echo_max).then(|| self.uid.clone());
        own.into_iter().chain(self.peers.keys().cloned()).collect()
    }

    /// When a peer that is still known last said that it is fit to serve.
    pub fn ready_elsewhere_at(&self) -> Option<Timestamp> {
        let ready = self.peers.values().filter(|peer| peer.said.as_ref().is_some_and(|said| said.ready));
        ready.map(|peer| peer.heard_at).max()
    }

    /// What is known of each peer, in the order of their UIDs.
    pub fn peers(&self) -> impl Iterator<Item = (&str, &I)> {
        self.peers.iter().map(|(uid, peer)| (uid.as_str(), &peer.info))
    }

    /// What is known of a peer.
    pub fn peer(&self, uid: &str) -> Option<&I> {
        self.peers.get(uid).map(|peer| &peer.info)
    }

    /// Number of nodes, this one included.
    pub fn nodes(&self) -> usize {
        self.peers.len() + 1
    }
}

#[cfg(test)]
mod tests;
