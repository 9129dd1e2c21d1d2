use std::time::Duration;

use super::{RedisClient, RedisOptions, RedisServer};
use crate::{free_port, wait_until};

/// How long a cluster may take until every node sees every slot served.
const FORMATION: Duration = Duration::from_secs(40);
const SLOTS: u16 = 16_384;
const PRIMARIES: usize = 3;

/// A cluster of three primaries, each with a replica; killed when dropped.
///
/// Nodes 0 to 2 begin as primaries of a third of the slots each; node `n + 3` begins as the replica of node `n`. It goes on
/// serving when slots are open. Needs `redis-server`.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    options: RedisOptions,
}

impl RedisCluster {
    /// A cluster with a node timeout of 1 s, formed.
    pub fn start() -> Self {
        Self::with(Duration::from_secs(1), &RedisOptions::default())
    }

    /// Starts it and waits until it has formed.
    pub fn with(node_timeout: Duration, options: &RedisOptions) -> Self {
        let options = options
            .clone()
            .line("cluster-enabled yes")
            .line(&format!("cluster-node-timeout {}", node_timeout.as_millis()))
            .line("cluster-require-full-coverage no")
            .line("cluster-allow-pubsubshard-when-down yes")
            .line("cluster-replica-validity-factor 0");
        let nodes: Vec<_> = (0..2 * PRIMARIES).map(|_| start_node(&options)).collect();
        let cluster = Self { nodes, options };
        cluster.form();
        cluster
    }

    fn form(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            node.run(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        self.nodes[1..].iter().for_each(|node| self.meet(node));
        let share = SLOTS / 3;
        for (index, node) in self.nodes[..PRIMARIES].iter().enumerate() {
            let first = share * u16::try_from(index).unwrap();
            let last = if index + 1 == PRIMARIES { SLOTS - 1 } else { first + share - 1 };
            node.run(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        self.wait("every node is known", |node| node.info_cluster("cluster_known_nodes") == "6");
        for (index, node) in self.nodes[PRIMARIES..].iter().enumerate() {
            let primary = self.id(index);
            let follows = wait_until(FORMATION, || {
                node.try_run(&["CLUSTER", "REPLICATE", &primary]).is_ok_and(|reply| reply.error().is_none())
            });
            assert!(follows, "a node does not become a replica:\n{}", node.log());
        }
        self.wait("every slot is served", |node| {
            node.info_cluster("cluster_state") == "ok" && node.info_cluster("cluster_slots_ok") == "16384"
        });
        self.nodes[PRIMARIES..].iter().for_each(RedisServer::wait_replicating);
        self.wait("replicas are known", |node| {
            let nodes = node.run(&["CLUSTER", "NODES"]).text();
            nodes.lines().filter(|line| line.contains("slave")).count() == PRIMARIES
        });
    }

    fn meet(&self, node: &RedisServer) {
        let bus = node.run(&["CONFIG", "GET", "cluster-port"]).items()[1].text();
        self.nodes[0].run(&["CLUSTER", "MEET", "127.0.0.1", &node.peer_port().to_string(), &bus]);
    }

    fn wait(&self, what: &str, condition: impl Fn(&RedisServer) -> bool) {
        for node in &self.nodes {
            assert!(wait_until(FORMATION, || condition(node)), "waiting until {what}:\n{}", node.log());
        }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// A node, to be killed or restarted.
    pub fn node_mut(&mut self, index: usize) -> &mut RedisServer {
        &mut self.nodes[index]
    }

    /// Addresses of all nodes.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::address).collect()
    }

    /// Adds an empty primary and waits until it is known; returns its index.
    pub fn grow(&mut self) -> usize {
        let node = start_node(&self.options);
        self.meet(&node);
        let known = wait_until(FORMATION, || {
            node.info_cluster("cluster_state") == "ok" && node.info_cluster("cluster_slots_ok") == "16384"
        });
        assert!(known, "the new node does not join:\n{}", node.log());
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Name of a node in the cluster.
    pub fn id(&self, index: usize) -> String {
        self.nodes[index].run(&["CLUSTER", "MYID"]).text()
    }

    /// The slot of a key.
    pub fn slot(&self, key: impl AsRef<[u8]>) -> u16 {
        let command = [b"CLUSTER".as_ref(), b"KEYSLOT", key.as_ref()];
        let node = self.nodes.iter().find_map(|node| node.try_run(&command).ok());
        u16::try_from(node.expect("a node answers").int()).unwrap()
    }

    /// Index of the node that serves a slot in the eyes of the node `asked`; `None` when nobody does.
    pub fn owner_according_to(&self, asked: usize, slot: u16) -> Option<usize> {
        let slots = self.nodes[asked].try_run(&["CLUSTER", "SLOTS"]).ok()?;
        let range = slots.items().iter().find(|range| {
            let bounds = range.items();
            (bounds[0].int()..=bounds[1].int()).contains(&i64::from(slot))
        })?;
        let port = range.items()[2].items()[1].int();
        self.nodes.iter().position(|node| i64::from(node.port()) == port)
    }

    /// Waits until the node `asked` names another owner of the slot than `old`; returns the new one.
    pub fn wait_moved(&self, asked: usize, slot: u16, old: usize) -> usize {
        let mut new = None;
        let moved = wait_until(FORMATION, || {
            new = self.owner_according_to(asked, slot).filter(|owner| *owner != old);
            new.is_some()
        });
        assert!(moved, "slot {slot} stays where it is:\n{}", self.nodes[asked].log());
        new.unwrap()
    }

    /// Moves a slot with its keys, as an operator would; every other primary is told.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.begin_move(slot, from, to);
        self.finish_move(slot, from, to);
    }

    /// Opens the slot for a move: the source answers ASK for keys that it does not have.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, source, target) = (slot.to_string(), self.id(from), self.id(to));
        self.nodes[to].run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        self.nodes[from].run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    }

    /// Moves what is in the opened slot, and closes it.
    pub fn finish_move(&self, slot: u16, from: usize, to: usize) {
        let (slot, target) = (slot.to_string(), self.id(to));
        let mut source: RedisClient = self.nodes[from].client().unwrap();
        let port = self.nodes[to].port().to_string();
        loop {
            let keys = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.items().is_empty() {
                break;
            }
            for key in keys.items() {
                let super::RedisReply::Bulk(Some(key)) = key else { continue };
                source.run(&[b"MIGRATE".as_ref(), b"127.0.0.1", port.as_bytes(), key, b"0", b"3000"]);
            }
        }
        self.nodes[to].run(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        let told = source.try_run(&["CLUSTER", "SETSLOT", &slot, "NODE", &target]).unwrap();
        // With its last slot gone a source follows the target, and takes no orders, as soon as it has heard so from there.
        let is_told = told.error().is_none() || self.nodes[from].info("role") == "slave";
        assert!(is_told, "slot {slot}: {}", told.text());
    }

    /// Makes a replica take over from its primary without loss, and waits until it says so.
    pub fn failover(&self, replica: usize) {
        self.nodes[replica].run(&["CLUSTER", "FAILOVER"]);
        let promoted = wait_until(FORMATION, || self.nodes[replica].info("role") == "master");
        assert!(promoted, "no failover:\n{}", self.nodes[replica].log());
    }
}

impl RedisServer {
    /// A line of `CLUSTER INFO`; empty when there is none.
    pub fn info_cluster(&self, name: &str) -> String {
        let text = self.try_run(&["CLUSTER", "INFO"]).map(|reply| reply.text()).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    }
}

fn start_node(options: &RedisOptions) -> RedisServer {
    RedisServer::with(&options.clone().line(&format!("cluster-port {}", free_port())))
}
