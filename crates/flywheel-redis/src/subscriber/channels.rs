use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use flywheel_model::Timestamp;
use hashbrown::HashMap;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::{SubscribeError, Topic};
use crate::link::ServerError;
use crate::resp::Command;

pub(super) type Waiter = oneshot::Sender<Result<(), SubscribeError>>;
/// Hears when everything was read that the server had to say before; dropped when the connection ends.
pub(super) type Fence = oneshot::Sender<()>;

/// Commands that are under way at a time. More would only lie in buffers.
const COMMANDS_MAX: usize = 8;

/// The connection is in doubt, and to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Restart(pub(super) String);

/// What is wanted, what the server has acknowledged, and what it was asked for and has not answered: one connection's
/// subscriptions and, between connections, what the next one begins with.
#[derive(Debug)]
pub(super) struct Channels {
    entries: HashMap<Bytes, Entry>,
    /// To be asked for. A name may stand here although nobody wants it any more.
    to_subscribe: VecDeque<Bytes>,
    to_unsubscribe: VecDeque<Bytes>,
    in_flight: VecDeque<InFlight>,
    /// To hear of the next sign of life that is asked for.
    fences: Vec<Fence>,
    /// When to see whether somebody came back, in order.
    lingering: VecDeque<(Timestamp, Bytes)>,
    rules: Rules,
    /// Names for one command at a time, after a command was refused because of one of its names.
    singly: usize,
}

/// What does not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) is_sharded: bool,
    /// Names in one command.
    pub(super) batch: usize,
    pub(super) ack_timeout: Duration,
    pub(super) linger: Duration,
}

#[derive(Debug)]
struct Entry {
    topic: Topic,
    wanted: bool,
    state: State,
    /// Whether it was acknowledged on an earlier connection, so that something may have been missed since.
    was_active: bool,
    /// Until when nobody has to come back.
    lingers_until: Option<Timestamp>,
    waiters: SmallVec<[Waiter; 1]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    Sent,
    Active,
    Leaving,
    /// The server refused it on this connection.
    Refused,
}

#[derive(Debug)]
struct InFlight {
    kind: Kind,
    names: Vec<Bytes>,
    answered: usize,
    deadline: Timestamp,
    fences: Vec<Fence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subscribe,
    Unsubscribe,
    Ping,
}

/// Whether it goes before channels of clients, of which there may be very many: other nodes and probes do not wait.
fn is_urgent(topic: &Topic) -> bool {
    matches!(topic, Topic::Control | Topic::Probe)
}

impl Channels {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            entries: HashMap::new(),
            to_subscribe: VecDeque::new(),
            to_unsubscribe: VecDeque::new(),
            in_flight: VecDeque::new(),
            fences: Vec::new(),
            lingering: VecDeque::new(),
            rules,
            singly: 0,
        }
    }

    /// What a message with this name is about; `None` when nobody asked for it.
    pub(super) fn topic(&self, name: &[u8]) -> Option<&Topic> {
        self.entries.get(name).map(|entry| &entry.topic)
    }

    /// How many are known.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }

    /// Wants a channel; `waiter` hears when the server has acknowledged it.
    pub(super) fn want(&mut self, name: Bytes, topic: Topic, waiter: Option<Waiter>) {
        let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry {
            topic,
            wanted: false,
            state: State::Refused,
            was_active: false,
            lingers_until: None,
            waiters: SmallVec::new(),
        });
        entry.wanted = true;
        entry.lingers_until = None;
        if entry.state == State::Refused {
            entry.state = State::Queued;
            if is_urgent(&entry.topic) {
                self.to_subscribe.push_front(name);
            } else {
                self.to_subscribe.push_back(name);
            }
        }
        entry.waiters.retain(|waiter| !waiter.is_closed());
        match waiter {
            Some(waiter) if entry.state == State::Active => drop(waiter.send(Ok(()))),
            Some(waiter) => entry.waiters.push(waiter),
            None => {}
        }
    }

    /// Nobody wants the channel now. After a while it is given up, if nobody has come back.
    pub(super) fn unwant(&mut self, name: &Bytes, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(name)
            && entry.wanted
        {
            let until = now + self.rules.linger;
            entry.lingers_until = Some(until);
            self.lingering.push_back((until, name.clone()));
        }
    }

    /// Gives up what has lingered long enough, except where `is_used` says that somebody came back.
    pub(super) fn expire(&mut self, now: Timestamp, is_used: impl Fn(&Topic) -> bool) {
        while self.lingering.front().is_some_and(|(until, _)| *until <= now) {
            let Some((until, name)) = self.lingering.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            if entry.lingers_until != Some(until) {
                continue;
            }
            entry.lingers_until = None;
            if is_used(&entry.topic) {
                continue;
            }
            entry.wanted = false;
            match entry.state {
                State::Active => {
                    entry.state = State::Leaving;
                    self.to_unsubscribe.push_back(name);
                }
                State::Queued | State::Refused => drop(self.entries.remove(&name)),
                State::Sent | State::Leaving => {}
            }
        }
    }

    /// When [`expire`](Self::expire) or [`check`](Self::check) is next due.
    pub(super) fn due(&self) -> Timestamp {
        let lingering = self.lingering.front().map_or(Timestamp::NEVER, |(until, _)| *until);
        self.in_flight.front().map_or(lingering, |front| lingering.min(front.deadline))
    }

    /// There is a new connection: everything that is wanted is to be asked for again.
    pub(super) fn connected(&mut self) {
        self.in_flight.clear();
        self.fences.clear();
        self.to_unsubscribe.clear();
        self.singly = 0;
        self.entries.retain(|_, entry| {
            entry.was_active |= matches!(entry.state, State::Active | State::Leaving);
            entry.state = State::Queued;
            entry.wanted
        });
        let (urgent, others): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|(_, entry)| is_urgent(&entry.topic));
        self.to_subscribe = urgent.into_iter().chain(others).map(|(name, _)| name.clone()).collect();
    }

    /// Appends commands to `out`, as many as may be under way. Answers whether there were any.
    pub(super) fn write(&mut self, now: Timestamp, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        while self.in_flight.len() < COMMANDS_MAX {
            // What is left comes first, so that a name that is wanted again is asked for after it was left.
            if self.write_batch(Kind::Unsubscribe, now, out) || self.write_batch(Kind::Subscribe, now, out) {
                continue;
            }
            break;
        }
        out.len() > before
    }

    fn write_batch(&mut self, kind: Kind, now: Timestamp, out: &mut Vec<u8>) -> bool {
        let (queue, before, after) = match kind {
            Kind::Subscribe => (&mut self.to_subscribe, State::Queued, State::Sent),
            _ => (&mut self.to_unsubscribe, State::Leaving, State::Leaving),
        };
        let limit = if kind == Kind::Subscribe && self.singly > 0 { 1 } else { self.rules.batch };
        let mut names = Vec::new();
        while names.len() < limit
            && let Some(name) = queue.pop_front()
        {
            if let Some(entry) = self.entries.get_mut(&name)
                && entry.state == before
            {
                entry.state = after;
                names.push(name);
            }
        }
        if names.is_empty() {
            return false;
        }
        if kind == Kind::Subscribe {
            self.singly = self.singly.saturating_sub(1);
        }
        let word = match (kind, self.rules.is_sharded) {
            (Kind::Subscribe, false) => "SUBSCRIBE",
            (Kind::Subscribe, true) => "SSUBSCRIBE",
            (_, false) => "UNSUBSCRIBE",
            (_, true) => "SUNSUBSCRIBE",
        };
        names.iter().fold(Command::new(word), Command::arg).write(out);
        self.in_flight.push_back(InFlight {
            kind,
            names,
            answered: 0,
            deadline: now + self.rules.ack_timeout,
            fences: Vec::new(),
        });
        true
    }

    /// `fence` hears of the answer to a sign of life that is yet to be asked for: the server answers in order.
    pub(super) fn fence(&mut self, fence: Fence) {
        self.fences.push(fence);
    }

    /// Whether somebody waits for a sign of life to be asked for.
    pub(super) fn is_fenced(&self) -> bool {
        !self.fences.is_empty()
    }

    /// Asks for a sign of life.
    pub(super) fn write_ping(&mut self, nonce: Bytes, now: Timestamp, out: &mut Vec<u8>) {
        Command::new("PING").arg(&nonce).write(out);
        let deadline = now + self.rules.ack_timeout;
        let (names, fences) = (vec![nonce], std::mem::take(&mut self.fences));
        self.in_flight.push_back(InFlight { kind: Kind::Ping, names, answered: 0, deadline, fences });
    }

    /// Whether a sign of life was asked for and has not come.
    pub(super) fn pings(&self) -> bool {
        self.in_flight.iter().any(|one| one.kind == Kind::Ping)
    }

    /// Whether the server owes an answer.
    pub(super) fn owed(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The server repeated the nonce.
    pub(super) fn pong(&mut self, nonce: &Bytes) -> Result<(), Restart> {
        if self.answered(Kind::Ping, nonce) { Ok(()) } else { Err(mixed_up("PING", nonce)) }
    }

    /// The server acknowledged a channel. Answers what it is about if something may have been missed before.
    pub(super) fn subscribed(&mut self, name: &Bytes) -> Result<Option<&Topic>, Restart> {
        if !self.answered(Kind::Subscribe, name) {
            return Err(mixed_up("SUBSCRIBE", name));
        }
        let Some(entry) = self.entries.get_mut(name) else { return Ok(None) };
        if !entry.wanted {
            entry.state = State::Leaving;
            self.to_unsubscribe.push_back(name.clone());
            return Ok(None);
        }
        entry.state = State::Active;
        entry.waiters.drain(..).for_each(|waiter| drop(waiter.send(Ok(()))));
        let was_active = std::mem::replace(&mut entry.was_active, true);
        Ok(was_active.then_some(&entry.topic))
    }

    /// The server says that a channel is left: because it was asked to, or because the channel is not its any more. Then
    /// the answer is what the channel is about.
    pub(super) fn unsubscribed(&mut self, name: &Bytes) -> Result<Option<Topic>, Restart> {
        if self.answered(Kind::Unsubscribe, name) {
            if let Some(entry) = self.entries.get_mut(name)
                && entry.state == State::Leaving
            {
                if entry.wanted {
                    // Somebody came back after it was left: what was published in between is missed.
                    entry.state = State::Queued;
                    self.to_subscribe.push_back(name.clone());
                } else {
                    self.entries.remove(name);
                }
            }
            return Ok(None);
        }
        if self.in_flight.iter().any(|one| one.kind == Kind::Unsubscribe) {
            return Err(mixed_up("UNSUBSCRIBE", name));
        }
        let Some(entry) = self.entries.get_mut(name) else { return Ok(None) };
        if entry.state == State::Active {
            entry.state = State::Queued;
            self.to_subscribe.push_back(name.clone());
            return Ok(Some(entry.topic.clone()));
        }
        Ok(None)
    }

    /// The server refused the oldest command.
    pub(super) fn refused(&mut self, text: &Bytes) -> Result<(), Restart> {
        let error = ServerError::new(text);
        let Some(front) = self.in_flight.pop_front() else {
            return Err(Restart(error.text));
        };
        if front.answered > 0 {
            return Err(Restart(format!("a command was refused after it was acknowledged: {error}")));
        }
        match front.kind {
            // It is a sign of life too.
            Kind::Ping => Ok(()),
            Kind::Unsubscribe => Err(Restart(error.text)),
            Kind::Subscribe if front.names.len() > 1 => {
                // One of them is to blame: each is asked for by itself.
                self.singly += front.names.len();
                for name in front.names.into_iter().rev() {
                    if let Some(entry) = self.entries.get_mut(&name) {
                        entry.state = State::Queued;
                        self.to_subscribe.push_front(name);
                    }
                }
                Ok(())
            }
            Kind::Subscribe => {
                for name in front.names {
                    let Some(entry) = self.entries.get_mut(&name) else { continue };
                    entry.state = State::Refused;
                    for waiter in entry.waiters.drain(..) {
                        drop(waiter.send(Err(SubscribeError::Refused(error.clone()))));
                    }
                    if !entry.wanted || !entry.was_active {
                        self.entries.remove(&name);
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether every answer that is due has come in time. One that is late may lie behind much else: if it is lost, the
    /// answer to what was asked for after it comes out of turn.
    ///
    /// The error has the time by which it is late.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), (Restart, Duration)> {
        match self.in_flight.front() {
            Some(front) if front.deadline <= now => {
                let name = front.names.get(front.answered).map(|name| String::from_utf8_lossy(name));
                let name = name.unwrap_or_default();
                let reason = format!("{:?} of {name} was not acknowledged in time", front.kind);
                Err((Restart(reason), now.since(front.deadline)))
            }
            _ => Ok(()),
        }
    }

    /// Whether the oldest command is one of `kind` whose next name is `name`; then that is answered.
    fn answered(&mut self, kind: Kind, name: &Bytes) -> bool {
        let Some(front) = self.in_flight.front_mut() else { return false };
        if front.kind != kind || front.names.get(front.answered) != Some(name) {
            return false;
        }
        front.answered += 1;
        if front.answered == front.names.len() {
            let fences = self.in_flight.pop_front().into_iter().flat_map(|answered| answered.fences);
            // Who does not wait any more does not care.
            fences.for_each(|fence| fence.send(()).unwrap_or_default());
        }
        true
    }
}

fn mixed_up(what: &str, name: &[u8]) -> Restart {
    Restart(format!("an answer to {what} of {} was not expected", String::from_utf8_lossy(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        is_sharded: false,
        batch: 3,
        ack_timeout: Duration::from_secs(1),
        linger: Duration::from_secs(1),
    };

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn name(name: &'static str) -> Bytes {
        Bytes::from_static(name.as_bytes())
    }

    fn want(channels: &mut Channels, text: &'static str) -> oneshot::Receiver<Result<(), SubscribeError>> {
        let (waiter, answer) = oneshot::channel();
        channels.want(name(text), Topic::Channel(text.into()), Some(waiter));
        answer
    }

    /// The words of the commands that are written.
    fn written(channels: &mut Channels, now: u64) -> String {
        let mut out = Vec::new();
        channels.write(at(now), &mut out);
        let text = String::from_utf8(out).unwrap();
        let words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$']) && !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }

    fn connected() -> Channels {
        let mut channels = Channels::new(RULES);
        channels.connected();
        channels
    }

    #[test]
    fn a_channel_is_answered_when_the_server_acknowledges_it_and_at_once_afterwards() {
        let mut channels = connected();
        let mut first = want(&mut channels, "a");
        let mut second = want(&mut channels, "a");
        assert_eq!(written(&mut channels, 0), "SUBSCRIBE a");
        assert!(first.try_recv().is_err());
        assert_eq!(channels.subscribed(&name("a")).unwrap(), None);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
        assert_eq!(want(&mut channels, "a").try_recv(), Ok(Ok(())));
        assert_eq!(written(&mut channels, 0), "");
    }

    #[test]
    fn many_go_in_batches() {
        let mut channels = connected();
        for text in ["a", "b", "c", "d"] {
            drop(want(&mut channels, text));
        }
        assert_eq!(written(&mut channels, 0), "SUBSCRIBE a b c SUBSCRIBE d");
    }

    #[test]
    fn probes_and_messages_of_nodes_do_not_wait_for_channels_of_clients() {
        let mut channels = connected();
        let _answers = ["a", "b", "c", "d"].map(|text| want(&mut channels, text));
        channels.want(name("control"), Topic::Control, None);
        assert!(written(&mut channels, 0).starts_with("SUBSCRIBE control"));
        channels.connected();
        assert!(written(&mut channels, 0).starts_with("SUBSCRIBE control"), "again");
    }

    #[test]
    fn an_acknowledgement_that_is_lost_or_for_another_name_restarts() {
        let mut channels = connected();
        drop((want(&mut channels, "a"), want(&mut channels, "b")));
        written(&mut channels, 0);
        assert!(channels.subscribed(&name("b")).is_err());
        assert!(channels.check(at(999)).is_ok());
        assert!(channels.check(at(1300)).is_err_and(|(_, late)| late == Duration::from_millis(300)));
        assert!(channels.pong(&name("n")).is_err());
    }

    #[test]
    fn who_waits_until_all_was_read_hears_of_the_sign_of_life_that_was_asked_for_after_it() {
        let mut channels = connected();
        let mut out = Vec::new();
        channels.write_ping(name("before"), at(0), &mut out);
        let (fence, mut answer) = oneshot::channel();
        channels.fence(fence);
        assert!(channels.is_fenced());
        channels.write_ping(name("after"), at(0), &mut out);
        assert!(!channels.is_fenced());
        channels.pong(&name("before")).unwrap();
        assert!(answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        channels.pong(&name("after")).unwrap();
        assert_eq!(answer.try_recv(), Ok(()));
        let (fence, mut answer) = oneshot::channel();
        channels.fence(fence);
        channels.connected();
        assert!(answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn after_a_new_connection_all_is_asked_for_again_and_what_was_active_may_have_missed_something() {
        let mut channels = connected();
        drop(want(&mut channels, "a"));
        written(&mut channels, 0);
        channels.subscribed(&name("a")).unwrap();
        let mut waits = want(&mut channels, "b");
        channels.connected();
        let asked = written(&mut channels, 0);
        assert!(matches!(asked.as_str(), "SUBSCRIBE a b" | "SUBSCRIBE b a"), "{asked}");
        let order: Vec<_> = asked.split(' ').skip(1).map(|text| Bytes::from(text.to_owned())).collect();
        for text in order {
            let missed = channels.subscribed(&text).unwrap().is_some();
            assert_eq!(missed, text == "a");
        }
        assert_eq!(waits.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn what_nobody_wants_is_left_after_a_while_unless_somebody_comes_back() {
        let mut channels = connected();
        for text in ["a", "b", "c"] {
            drop(want(&mut channels, text));
        }
        written(&mut channels, 0);
        for text in ["a", "b", "c"] {
            channels.subscribed(&name(text)).unwrap();
            channels.unwant(&name(text), at(0));
        }
        drop(want(&mut channels, "b"));
        channels.expire(at(999), |_| false);
        assert_eq!(written(&mut channels, 999), "");
        channels
            .expire(at(1000), |topic| matches!(topic, Topic::Channel(channel) if channel.as_str() == "c"));
        assert_eq!(written(&mut channels, 1000), "UNSUBSCRIBE a");
        // Somebody comes back while it is being left.
        let mut back = want(&mut channels, "a");
        assert_eq!(channels.unsubscribed(&name("a")), Ok(None));
        assert_eq!(written(&mut channels, 1000), "SUBSCRIBE a");
        assert!(back.try_recv().is_err());
        assert!(channels.subscribed(&name("a")).unwrap().is_some());
        assert_eq!(back.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn a_refusal_reaches_the_one_who_is_refused_and_nobody_else() {
        let mut channels = connected();
        let (mut good, mut bad) = (want(&mut channels, "good"), want(&mut channels, "bad"));
        assert_eq!(written(&mut channels, 0), "SUBSCRIBE good bad");
        let error = name("NOPERM no");
        channels.refused(&error).unwrap();
        assert_eq!(written(&mut channels, 0), "SUBSCRIBE good SUBSCRIBE bad");
        channels.subscribed(&name("good")).unwrap();
        channels.refused(&error).unwrap();
        assert_eq!(good.try_recv(), Ok(Ok(())));
        assert_eq!(bad.try_recv(), Ok(Err(SubscribeError::Refused(ServerError::new(&error)))));
        assert_eq!(channels.len(), 1);
    }

    #[test]
    fn a_channel_that_the_server_gives_up_is_asked_for_again() {
        let mut channels = connected();
        drop(want(&mut channels, "a"));
        written(&mut channels, 0);
        channels.subscribed(&name("a")).unwrap();
        assert_eq!(channels.unsubscribed(&name("a")), Ok(Some(Topic::Channel("a".into()))));
        assert_eq!(written(&mut channels, 0), "SUBSCRIBE a");
    }

    #[test]
    fn a_channel_given_up_by_the_server_while_another_one_is_being_left_is_a_doubt() {
        let mut channels = connected();
        drop((want(&mut channels, "a"), want(&mut channels, "b")));
        written(&mut channels, 0);
        for text in ["a", "b"] {
            channels.subscribed(&name(text)).unwrap();
        }
        channels.unwant(&name("a"), at(0));
        channels.expire(at(1000), |_| false);
        written(&mut channels, 1000);
        assert!(channels.unsubscribed(&name("b")).is_err());
    }
}
