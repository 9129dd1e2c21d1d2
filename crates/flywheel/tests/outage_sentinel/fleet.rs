use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use flywheel_testkit::drill::{Accepted, Kept, Publisher, ReadinessWatch, Sample, Subscriber, Witness};

use flywheel_testkit::{HaProxy, MASTER_NAME, SentinelSet, Server, free_port, wait_until};
use serde_json::{Value, json};

/// Four nodes on a Sentinel set, behind a HAProxy that asks whether they are ready, with clients and publishers.
pub(crate) struct Fleet {
    pub(crate) sentinels: SentinelSet,
    publishers: Vec<Publisher>,
    /// One on each node, not through the proxy.
    observers: Vec<Subscriber>,
    /// Through the proxy.
    clients: Vec<Subscriber>,
    watches: Vec<ReadinessWatch>,
    _proxy: HaProxy,
    nodes: Vec<Server>,
}

const NODES: usize = 4;
const CLIENTS: usize = 12;
const CHANNELS: usize = 8;
const PAUSE: Duration = Duration::from_millis(30);
const KEY: &str = "api-key";
const START: Duration = Duration::from_secs(30);

impl Fleet {
    /// Indices of the nodes.
    pub(crate) const NODES: Range<usize> = 0..NODES;

    pub(crate) fn start() -> Self {
        let sentinels = SentinelSet::start();
        let config = config(&sentinels);
        let nodes: Vec<_> =
            (0..NODES).map(|_| Server::start(env!("CARGO_BIN_EXE_flywheel"), config.clone())).collect();
        let addresses: Vec<_> = nodes.iter().map(Server::address).collect();
        let channels: Vec<_> = (0..CHANNELS).map(|number| format!("drill{number}")).collect();
        let watches: Vec<_> = addresses.iter().map(|address| ReadinessWatch::start(*address)).collect();
        let ready =
            wait_until(START, || watches.iter().all(|watch| watch.last().is_some_and(|last| last.ready)));
        assert!(ready, "{:?}", watches.iter().map(ReadinessWatch::last).collect::<Vec<_>>());
        let port = free_port();
        let proxy = HaProxy::start(&haproxy(port, &addresses), &[port]);
        let front = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let observer = |(node, address): (usize, &SocketAddr)| {
            Subscriber::start(&format!("observer{node}"), *address, &channels)
        };
        let observers: Vec<_> = addresses.iter().enumerate().map(observer).collect();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| Subscriber::start(&format!("client{number}"), front, &channels))
            .collect();
        let subscribed =
            wait_until(START, || observers.iter().chain(&clients).all(|one| one.has_subscribed(CHANNELS)));
        assert!(subscribed, "not everybody is subscribed:\n{}", nodes[0].log());
        let publisher =
            |(node, address): (usize, &SocketAddr)| Publisher::start(node, *address, KEY, &channels, PAUSE);
        let publishers = addresses.iter().enumerate().map(publisher).collect();
        let fleet = Self { sentinels, publishers, observers, clients, watches, _proxy: proxy, nodes };
        let since = Instant::now();
        assert!(wait_until(START, || fleet.all_hear_each_other_since(since)), "{}", fleet.describe(since));
        fleet
    }

    /// Whether each node has delivered something that was published through each other after `since`.
    pub(crate) fn all_hear_each_other_since(&self, since: Instant) -> bool {
        self.heard_since(since).len() == NODES * NODES
    }

    /// When each node delivered something that was published through each other after `since`.
    fn heard_since(&self, since: Instant) -> BTreeMap<(usize, usize), Instant> {
        let accepted = self.accepted();
        let of: BTreeMap<u64, &Accepted> =
            accepted.iter().filter(|one| one.asked > since).map(|one| (one.id, one)).collect();
        self.first_heard(since, &of)
    }

    fn first_heard(
        &self,
        since: Instant,
        of: &BTreeMap<u64, &Accepted>,
    ) -> BTreeMap<(usize, usize), Instant> {
        let mut heard = BTreeMap::new();
        for (node, observer) in self.observers.iter().enumerate() {
            for (id, at) in observer.seen_since(since) {
                if let Some(publication) = of.get(&id) {
                    let first = heard.entry((publication.node, node)).or_insert(at);
                    *first = at.min(*first);
                }
            }
        }
        heard
    }

    /// How many publications that were asked for after `since` were accepted, by the node with the fewest, times nodes.
    pub(crate) fn accepted_since(&self, since: Instant) -> usize {
        let counts = self
            .publishers
            .iter()
            .map(|publisher| publisher.accepted().iter().rev().take_while(|one| one.asked > since).count());
        counts.min().unwrap_or(0) * NODES
    }

    pub(crate) fn accepted(&self) -> Vec<Accepted> {
        self.publishers.iter().flat_map(Publisher::accepted).collect()
    }

    /// For each node, how long after `since` it first wrote something that `kept` has.
    pub(crate) fn first_kept_write_since(
        &self,
        since: Instant,
        kept: &BTreeMap<String, Kept>,
    ) -> Vec<Duration> {
        let first = |publisher: &Publisher| {
            let accepted = publisher.accepted();
            let first = accepted.iter().find(|one| one.asked > since && is_kept(one, kept));
            first.map_or(Duration::MAX, |one| one.at - since)
        };
        self.publishers.iter().map(first).collect()
    }

    /// How long after `since` the last of all pairs of nodes heard each other, by something that `kept` has.
    pub(crate) fn last_pair_heard_since(&self, since: Instant, kept: &BTreeMap<String, Kept>) -> Duration {
        let accepted = self.accepted();
        let of: BTreeMap<u64, &Accepted> = accepted
            .iter()
            .filter(|one| one.asked > since && is_kept(one, kept))
            .map(|one| (one.id, one))
            .collect();
        self.first_heard(since, &of).values().map(|at| *at - since).max().unwrap_or(Duration::MAX)
    }

    /// Publications asked for after `since` that the server `index` has, but the primary does not.
    pub(crate) fn went_astray(&self, index: usize, since: Instant) -> BTreeSet<u64> {
        let asked: BTreeSet<_> =
            self.accepted().into_iter().filter(|one| one.asked > since).map(|one| one.id).collect();
        let there = self.kept(index);
        there
            .values()
            .flat_map(|stream| stream.entries.values())
            .copied()
            .filter(|id| asked.contains(id))
            .collect()
    }

    /// All streams as the server `index` has them.
    pub(crate) fn kept(&self, index: usize) -> BTreeMap<String, Kept> {
        let server = &self.sentinels.servers()[index];
        let stream = |number: usize| {
            let channel = format!("drill{number}");
            let epoch = server.run(&["HGET", &format!("centrifugo.stream.meta.{channel}"), "e"]).text();
            let entries = server.run(&["XRANGE", &format!("centrifugo.stream.{channel}"), "-", "+"]);
            let entries = entries.items().iter().map(|entry| {
                let offset = entry.items()[0].text();
                let offset = offset.split('-').next().unwrap().parse().unwrap();
                (offset, number_in(&entry.items()[1].items()[1].text()))
            });
            (channel, Kept { epoch, entries: entries.collect() })
        };
        (0..CHANNELS).map(stream).collect()
    }

    pub(crate) fn samples(&self, node: usize) -> Vec<Sample> {
        self.watches[node].samples()
    }

    /// When the node took a publication or delivered one.
    pub(crate) fn useful(&self, node: usize) -> Vec<Instant> {
        let took = self.publishers[node].accepted().into_iter().map(|one| one.at);
        let long_ago = self.watches[node].samples().first().map_or_else(Instant::now, |sample| sample.at);
        let delivered = self.observers[node].seen_since(long_ago).into_iter().map(|(_, at)| at);
        took.chain(delivered).collect()
    }

    pub(crate) fn stop_publishing(&mut self) {
        self.publishers.iter_mut().for_each(Publisher::stop);
    }

    /// Waits until every subscriber stands where the streams end.
    pub(crate) fn wait_for_subscribers(&self, within: Duration) {
        let kept = self.kept(self.sentinels.primary());
        let stands = |subscriber: &Subscriber| {
            subscriber.positions().iter().all(|(channel, (epoch, offset))| {
                let stream = &kept[channel];
                stream.epoch == *epoch && stream.entries.keys().next_back().is_none_or(|top| offset >= top)
            })
        };
        // The judge says who is missing what.
        wait_until(within, || self.observers.iter().chain(&self.clients).all(stands));
    }

    pub(crate) fn witnesses(&self) -> Vec<Witness> {
        self.observers.iter().chain(&self.clients).flat_map(Subscriber::witnesses).collect()
    }

    /// What a person wants to know when something did not happen.
    pub(crate) fn describe(&self, since: Instant) -> String {
        let heard = self.heard_since(since);
        let mut lines = vec![format!("pairs that hear each other: {:?}", heard.keys().collect::<Vec<_>>())];
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

fn is_kept(publication: &Accepted, kept: &BTreeMap<String, Kept>) -> bool {
    kept.get(&publication.channel)
        .is_some_and(|stream| stream.entries.get(&publication.offset) == Some(&publication.id))
}

/// The number in a stored publication, whose payload is `{"id":number}`.
fn number_in(stored: &str) -> u64 {
    let after = stored.split("{\"id\":").nth(1).unwrap_or_else(|| panic!("no payload in {stored:?}"));
    after.split('}').next().unwrap().parse().unwrap()
}

fn config(sentinels: &SentinelSet) -> Value {
    json!({
        "engine": {"type": "redis", "redis": {
            "sentinel_address": [sentinels.sentinel_addresses().join(",")],
            "sentinel_master_name": MASTER_NAME,
        }},
        "client": {"allow_anonymous_connect_without_token": true},
        "http_api": {"key": KEY},
        "channel": {"without_namespace": {
            "allow_subscribe_for_client": true,
            "allow_subscribe_for_anonymous": true,
            "history_size": 50_000,
            "history_ttl": "1h",
            "force_recovery": true,
        }},
    })
}

fn haproxy(port: u16, nodes: &[SocketAddr]) -> String {
    let servers: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(number, address)| format!(" server node{number} {address}\n"))
        .collect();
    let servers = servers.concat();
    format!(
        "defaults\n mode http\n timeout connect 1s\n timeout client 1h\n timeout server 1h\n timeout tunnel 1h\n\
         listen front\n bind 127.0.0.1:{port}\n balance leastconn\n option redispatch\n\
         option httpchk GET /health/ready\n http-check expect status 200\n \
         default-server check inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions\n{servers}"
    )
}
