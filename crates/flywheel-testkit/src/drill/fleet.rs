use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Accepted, Kept, Publisher, ReadinessWatch, Sample, Subscriber, Witness};
use crate::{HaProxy, RedisServer, Server, Stream, free_port, wait_until};

/// What a fleet is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Configuration of each node. The server API's key is [`Plan::KEY`] in all of them.
    pub nodes: Vec<Value>,
    /// Clients that come through the proxy.
    pub clients: usize,
    /// Number of channels, which everybody is subscribed to.
    pub channels: usize,
    /// Between two calls of a node's publisher.
    pub pause: Duration,
    /// Token that subscribes a client to all channels; `None` lets clients subscribe themselves.
    pub token: Option<String>,
}

impl Plan {
    /// Key of the server API.
    pub const KEY: &str = "api-key";

    /// Names of the channels.
    pub fn channels(&self) -> Vec<String> {
        (0..self.channels).map(|number| format!("drill{number}")).collect()
    }
}

/// Nodes behind a HAProxy that asks whether they are ready, with clients behind it, an observer on each node and a
/// publisher into each node.
#[derive(Debug)]
pub struct Fleet {
    channels: Vec<String>,
    publishers: Vec<Publisher>,
    observers: Vec<Subscriber>,
    clients: Vec<Subscriber>,
    watches: Vec<ReadinessWatch>,
    front: SocketAddr,
    /// Where HAProxy says what it thinks of the nodes.
    figures: SocketAddr,
    _proxy: HaProxy,
    nodes: Vec<Server>,
}

const START: Duration = Duration::from_secs(30);

impl Fleet {
    /// Starts everything and waits until each node hears each other; panics when that does not happen.
    pub fn start(binary: &str, plan: &Plan) -> Self {
        let nodes: Vec<_> = plan.nodes.iter().map(|config| Server::start(binary, config.clone())).collect();
        let addresses: Vec<_> = nodes.iter().map(Server::address).collect();
        let watches: Vec<_> = addresses.iter().map(|address| ReadinessWatch::start(*address)).collect();
        let ready =
            wait_until(START, || watches.iter().all(|watch| watch.last().is_some_and(|last| last.ready)));
        let last: Vec<_> = watches.iter().map(ReadinessWatch::last).collect();
        assert!(ready, "{last:?}\n{}", nodes[0].log());
        let (port, figures) = (free_port(), free_port());
        let proxy = HaProxy::start(&haproxy(port, figures, &addresses), &[port, figures]);
        let front = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let figures = SocketAddr::from((Ipv4Addr::LOCALHOST, figures));
        let channels = plan.channels();
        let subscriber = |name: String, address: SocketAddr| match &plan.token {
            Some(token) => Subscriber::start_subscribed(&name, address, &channels, token),
            None => Subscriber::start(&name, address, &channels),
        };
        let numbered = addresses.iter().enumerate();
        let observers =
            numbered.clone().map(|(node, address)| subscriber(format!("observer{node}"), *address)).collect();
        let clients = (0..plan.clients).map(|number| subscriber(format!("client{number}"), front)).collect();
        let publishers = numbered
            .map(|(node, address)| Publisher::start(node, *address, Plan::KEY, &channels, plan.pause))
            .collect();
        let fleet =
            Self { channels, publishers, observers, clients, watches, front, figures, _proxy: proxy, nodes };
        let subscribed = wait_until(START, || {
            fleet.subscribers().all(|subscriber| subscriber.has_subscribed(fleet.channels.len()))
        });
        let since = Instant::now();
        assert!(subscribed, "not everybody is subscribed: {}", fleet.describe(since));
        assert!(wait_until(START, || fleet.all_hear_each_other_since(since)), "{}", fleet.describe(since));
        fleet
    }

    /// Indices of the nodes.
    pub fn nodes(&self) -> Range<usize> {
        0..self.nodes.len()
    }

    /// A node.
    pub fn node(&self, index: usize) -> &Server {
        &self.nodes[index]
    }

    /// Where clients come in.
    pub fn front(&self) -> SocketAddr {
        self.front
    }

    /// Those on a node and those behind the proxy.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.observers.iter().chain(&self.clients)
    }

    /// Those behind the proxy.
    pub fn clients(&self) -> &[Subscriber] {
        &self.clients
    }

    /// The publisher into a node.
    pub fn publisher(&self, node: usize) -> &Publisher {
        &self.publishers[node]
    }

    /// Whether each node has delivered something that was published through each other after `since`.
    pub fn all_hear_each_other_since(&self, since: Instant) -> bool {
        self.heard_since(since, |_| true).len() == self.nodes.len() * self.nodes.len()
    }

    /// When each node, the second of a pair, first delivered something that counts and was published through the first
    /// after `since`.
    pub fn heard_since(
        &self,
        since: Instant,
        counts: impl Fn(&Accepted) -> bool,
    ) -> BTreeMap<(usize, usize), Instant> {
        let accepted = self.accepted();
        let of: BTreeMap<u64, usize> = accepted
            .iter()
            .filter(|one| one.asked > since && counts(one))
            .map(|one| (one.id, one.node))
            .collect();
        let mut heard = BTreeMap::new();
        for (node, observer) in self.observers.iter().enumerate() {
            for (id, at) in observer.seen_since(since) {
                if let Some(publisher) = of.get(&id) {
                    let first = heard.entry((*publisher, node)).or_insert(at);
                    *first = at.min(*first);
                }
            }
        }
        heard
    }

    /// How many publications that were asked for after `since` were accepted by the node that accepted fewest.
    pub fn fewest_accepted_since(&self, since: Instant) -> usize {
        let count = |one: &Publisher| one.accepted().iter().rev().take_while(|one| one.asked > since).count();
        self.publishers.iter().map(count).min().unwrap_or(0)
    }

    /// What was accepted so far.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.publishers.iter().flat_map(Publisher::accepted).collect()
    }

    /// All streams as this server has them.
    pub fn kept(&self, server: &RedisServer) -> BTreeMap<String, Kept> {
        self.channels.iter().map(|channel| (channel.clone(), kept(server, channel))).collect()
    }

    /// What a node said about its readiness so far.
    pub fn samples(&self, node: usize) -> Vec<Sample> {
        self.watches[node].samples()
    }

    /// Whether HAProxy sends clients to a node.
    pub fn is_fed(&self, node: usize) -> bool {
        let request = "GET /figures;csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let Ok(mut answer) = Stream::open(self.figures, request.as_bytes()) else { return false };
        let table = answer.rest();
        let begin = format!("front,node{node},");
        let line = table.lines().find(|line| line.starts_with(&begin));
        // Also while it has failed a check and not enough of them.
        line.and_then(|line| line.split(',').nth(17)).is_some_and(|state| state.starts_with("UP"))
    }

    /// Whether a node said last that it is ready.
    pub fn is_ready(&self, node: usize) -> bool {
        self.watches[node].last().is_some_and(|last| last.ready)
    }

    /// When the node took a publication or delivered one.
    pub fn useful(&self, node: usize) -> Vec<Instant> {
        let took = self.publishers[node].accepted().into_iter().map(|one| one.at);
        let first = self.watches[node].samples().first().map_or_else(Instant::now, |sample| sample.at);
        let delivered = self.observers[node].seen_since(first).into_iter().map(|(_, at)| at);
        took.chain(delivered).collect()
    }

    /// Ends the publishers, each after its call in flight.
    pub fn stop_publishing(&mut self) {
        self.publishers.iter_mut().for_each(Publisher::stop);
    }

    /// Waits until every subscriber stands where the streams end, or for this long. The judge says who is missing what.
    pub fn wait_for_subscribers(&self, server: &RedisServer, within: Duration) -> bool {
        let kept = self.kept(server);
        let stands = |subscriber: &Subscriber| {
            subscriber.positions().iter().all(|(channel, (epoch, offset))| {
                let stream = &kept[channel];
                stream.epoch == *epoch && stream.entries.keys().next_back().is_none_or(|top| offset >= top)
            })
        };
        wait_until(within, || self.subscribers().all(stands))
    }

    /// What all subscribers saw.
    pub fn witnesses(&self) -> Vec<Witness> {
        self.subscribers().flat_map(Subscriber::witnesses).collect()
    }

    /// What a person wants to know when something did not happen after `since`.
    pub fn describe(&self, since: Instant) -> String {
        let heard: Vec<_> = self.heard_since(since, |_| true).into_keys().collect();
        let mut lines = vec![format!("pairs that hear each other: {heard:?}")];
        for (node, publisher) in self.publishers.iter().enumerate() {
            let failed: Vec<_> = publisher.failed().into_iter().rev().take(3).map(|(_, why)| why).collect();
            let ready = self.watches[node].last().map(|last| last.body);
            let accepted = publisher.accepted().iter().filter(|one| one.asked > since).count();
            let closes: Vec<_> = self.observers[node].closes().into_iter().rev().take(3).collect();
            lines.push(format!(
                "node {node}: accepted {accepted}, failed {failed:?}, {ready:?}, closes {closes:?}"
            ));
        }
        for node in &self.nodes {
            let log = node.log();
            let tail: Vec<_> = log.lines().rev().take(20).map(str::to_owned).collect();
            lines.push(format!("--- {}", node.address()));
            lines.extend(tail.into_iter().rev());
        }
        lines.join("\n")
    }
}

/// A stream as this server has it, in the layout for a single server.
fn kept(server: &RedisServer, channel: &str) -> Kept {
    let epoch = server.run(&["HGET", &format!("centrifugo.stream.meta.{channel}"), "e"]).text();
    let entries = server.run(&["XRANGE", &format!("centrifugo.stream.{channel}"), "-", "+"]);
    let entry = |entry: &crate::RedisReply| {
        let offset = entry.items()[0].text();
        let offset = offset.split('-').next().unwrap().parse().unwrap();
        (offset, number_in(&entry.items()[1].items()[1].text()))
    };
    Kept { epoch, entries: entries.items().iter().map(entry).collect() }
}

/// The number in a stored publication, whose payload is `{"id":number}`.
fn number_in(stored: &str) -> u64 {
    let after = stored.split("{\"id\":").nth(1).unwrap_or_else(|| panic!("no payload in {stored:?}"));
    after.split('}').next().unwrap().parse().unwrap()
}

fn haproxy(port: u16, figures: u16, nodes: &[SocketAddr]) -> String {
    let server = |(number, address): (usize, &SocketAddr)| format!(" server node{number} {address}\n");
    let servers: Vec<_> = nodes.iter().enumerate().map(server).collect();
    format!(
        "defaults\n mode http\n timeout connect 1s\n timeout client 1h\n timeout server 1h\n timeout tunnel 1h\n\
         listen figures\n bind 127.0.0.1:{figures}\n stats enable\n stats uri /figures\n\
         listen front\n bind 127.0.0.1:{port}\n balance leastconn\n option redispatch\n \
         option httpchk GET /health/ready\n http-check expect status 200\n \
         default-server check inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions\n{}",
        servers.concat()
    )
}
