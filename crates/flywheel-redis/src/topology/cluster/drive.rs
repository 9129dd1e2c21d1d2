use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use flywheel_model::Timestamp;
use tokio::time::{sleep, timeout};

use super::{SlotAnswer, SlotMap};
use crate::link::{Endpoint, Facts, Link, Mode, Redirect};
use crate::resp::Command;
use crate::topology::shard::alive;
use crate::topology::{Asked, ClusterState, Detail, Routes, Server, Shard, judge};

/// How often to look whether an owner is down, and to ask who owns its slots while one is.
const LOOK: Duration = Duration::from_millis(250);
/// Least pause between two rounds of questions, whatever gives reason to ask.
const ROUND: Duration = Duration::from_millis(25);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);
/// For how long nobody may have named a node before its connection is given up.
const UNNAMED: Duration = Duration::from_secs(30);
/// Nodes that are connected to. Redis advises against a tenth of it.
const SERVERS_MAX: usize = 10_000;

/// What is known of a cluster.
#[derive(Default)]
pub(in crate::topology) struct Members {
    map: SlotMap,
    servers: BTreeMap<Endpoint, Member>,
}

struct Member {
    server: Arc<Server>,
    /// When somebody named it last.
    named_at: Timestamp,
    /// The cluster's clock as it told it last, and when.
    told: Option<(u64, Timestamp)>,
}

/// Keeps a connection to every node of a cluster, and the map of who owns what.
pub(in crate::topology) async fn run(weak: Weak<Shard>, seeds: Vec<Endpoint>) {
    let Some(shard) = alive(&weak) else { return };
    let refresh_interval = shard.settings().refresh_interval;
    for seed in &seeds {
        server_at(&shard, seed);
    }
    drop(shard);
    let mut asked_at = None::<Timestamp>;
    loop {
        let Some(shard) = alive(&weak) else { return };
        let now = shard.context().now();
        let is_due = asked_at.is_none_or(|asked| now.since(asked) >= refresh_interval);
        if is_due || !shard.is_whole() {
            asked_at = Some(now);
            ask_everybody(&shard);
        }
        let poked = timeout(LOOK, shard.refresh.notified()).await.is_ok();
        shard.retire(&seeds);
        shard.place_ears();
        if poked {
            asked_at = None;
        }
        drop(shard);
        sleep(ROUND).await;
    }
}

/// Asks every node that is connected. Each answer is taken in as it comes; who is silent delays nobody.
fn ask_everybody(shard: &Arc<Shard>) {
    let servers: Vec<_> = {
        let members = shard.members.lock();
        members.servers.values().map(|member| Arc::clone(&member.server)).collect()
    };
    for (server, link) in servers.into_iter().filter_map(|server| server.link().map(|link| (server, link))) {
        let weak = Arc::downgrade(shard);
        let deadline = shard.context().now() + ANSWER;
        shard.context().tasks.spawn(async move {
            let Some(answer) = ask(&link, server.endpoint(), deadline).await else { return };
            if let Some(shard) = alive(&weak) {
                shard.handle_slots(server.endpoint(), &answer);
            }
        });
    }
}

async fn ask(link: &Link, at: &Endpoint, deadline: Timestamp) -> Option<SlotAnswer> {
    // Asked before the slots, so that these are never older than it says.
    let info = link.call(Command::new("CLUSTER INFO"), deadline).await.ok()?;
    let epoch = ClusterState::parse(info.text()?).epoch;
    let slots = link.call(Command::new("CLUSTER SLOTS"), deadline).await.ok()?;
    SlotAnswer::parse(&slots, epoch, at)
}

/// The server at an address, which is connected to from now on.
pub(in crate::topology) fn server_at(shard: &Shard, endpoint: &Endpoint) -> Option<Arc<Server>> {
    shard.members.lock().server_at(shard, endpoint)
}

/// Takes in that a node said that a slot moved.
pub(in crate::topology) fn moved(shard: &Shard, redirect: &Redirect) {
    let mut members = shard.members.lock();
    if let Some(map) = members.map.with_move(redirect.slot, &redirect.to) {
        members.map = map;
        members.publish(shard);
    }
    drop(members);
    shard.refresh.notify_one();
}

impl Shard {
    /// Takes in who owns what in the eyes of the node at `from`.
    fn handle_slots(&self, from: &Endpoint, answer: &SlotAnswer) {
        let now = self.context().now();
        let mut members = self.members.lock();
        if let Some(member) = members.servers.get_mut(from) {
            member.told = Some((answer.epoch(), now));
        }
        for node in answer.nodes() {
            members.server_at(self, node);
        }
        let map = if members.all_are_older(now) {
            members.map.replaced_by(answer)
        } else {
            members.map.with_answer(answer)
        };
        if let Some(map) = map {
            members.map = map;
            members.publish(self);
        }
        drop(members);
        self.set_mode(Mode::Cluster);
        self.set_refusal(None);
    }

    /// Whether every slot has an owner and every owner a connection.
    fn is_whole(&self) -> bool {
        let members = self.members.lock();
        let is_up = |node| members.servers.get(node).is_some_and(|member| member.server.link().is_some());
        members.map.open_slots() == 0 && members.map.nodes().iter().all(is_up)
    }

    /// Gives up nodes that nobody has named for long. Seeds stay until another node is connected.
    fn retire(&self, seeds: &[Endpoint]) {
        let now = self.context().now();
        let mut members = self.members.lock();
        let Members { map, servers } = &mut *members;
        let is_served = map
            .nodes()
            .iter()
            .any(|node| servers.get(node).is_some_and(|member| member.server.link().is_some()));
        servers.retain(|node, member| {
            map.owns(node) || (!is_served && seeds.contains(node)) || now.since(member.named_at) < UNNAMED
        });
        if !is_served {
            for seed in seeds {
                members.server_at(self, seed);
            }
        }
    }
}

impl Members {
    /// Why the first of those that are down is.
    pub(in crate::topology) fn reason(&self) -> Option<String> {
        self.servers.values().find_map(|member| {
            let states = member.server.states();
            let state = states.borrow();
            (!state.is_up).then(|| state.reason.clone())
        })
    }

    /// Why nobody need wait, when every node that is known refuses.
    pub(in crate::topology) fn refusal(&self) -> Option<String> {
        let mut first = None;
        for member in self.servers.values() {
            let refusal = member.server.refusal()?;
            first.get_or_insert(refusal);
        }
        first
    }

    fn server_at(&mut self, shard: &Shard, endpoint: &Endpoint) -> Option<Arc<Server>> {
        let now = shard.context().now();
        if let Some(member) = self.servers.get_mut(endpoint) {
            member.named_at = now;
            return Some(Arc::clone(&member.server));
        }
        if self.servers.len() >= SERVERS_MAX {
            return None;
        }
        let (keys, at) = (shard.settings().keys.clone(), endpoint.to_string());
        let judged =
            move |facts: &Facts| judge(Asked::Cluster, facts, &Detail::default(), &at, &keys).admits();
        let admission = shard.admission(Arc::new(judged), "cluster_address");
        let link = shard.settings().link.clone();
        let server = Server::start(endpoint.clone(), link, false, admission, shard.context());
        watch(shard, &server);
        let member = Member { server: Arc::clone(&server), named_at: now, told: None };
        self.servers.insert(endpoint.clone(), member);
        Some(server)
    }

    /// Whether every node that is connected has told lately that its clock is behind the map's: then it is the map that is
    /// wrong, since the cluster was made anew.
    fn all_are_older(&self, now: Timestamp) -> bool {
        let mut connected = self.servers.values().filter(|member| member.server.link().is_some()).peekable();
        let is_older = |member: &Member| {
            member.told.is_some_and(|(epoch, at)| {
                epoch < self.map.epoch() && now.since(at) < Duration::from_secs(10)
            })
        };
        connected.peek().is_some() && connected.all(is_older)
    }

    fn publish(&mut self, shard: &Shard) {
        let nodes = self.map.nodes().to_vec();
        let servers: Vec<_> = nodes.iter().filter_map(|node| self.server_at(shard, node)).collect();
        if servers.len() == nodes.len() {
            shard.set_routes(Routes::of_map(self.map.clone(), servers));
        }
    }
}

/// Asks for the map when a connection comes or goes.
fn watch(shard: &Shard, server: &Arc<Server>) {
    let (mut states, weak) = (server.states(), shard.weak());
    shard.context().tasks.spawn_background(async move {
        while states.changed().await.is_ok() {
            let Some(shard) = alive(&weak) else { return };
            shard.refresh.notify_one();
            // Whoever waits for it looks whether it was refused.
            shard.touch();
        }
    });
}
