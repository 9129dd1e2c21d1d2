use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use flywheel_auth::{TokenSettings, Verifier};
use flywheel_model::{ChannelOptions, ChannelRules, Payload, Tags};
use flywheel_node::{Access, Node, NodeParts, PublishRequest, Routes, ShardPost};
use flywheel_protocol::Disconnect;
use flywheel_redis::engine::{EngineParts, RedisEngine, RedisOptions};
use flywheel_redis::link::{Endpoint as Address, LinkSettings};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_session::Settings;
use flywheel_transport::{
    Door, DoorSettings, Endpoint, Reactor, ReactorSettings, Sessions, SessionsParts, listen,
};
use tokio::runtime::Runtime;

/// A node with one shard that can be blocked, on a Redis.
pub(crate) struct TestNode {
    runtime: Runtime,
    node: Arc<Node>,
    gate: Arc<Mutex<()>>,
    pub(crate) engine: Arc<RedisEngine>,
    pub(crate) address: SocketAddr,
}

fn settings() -> Settings {
    let open = ChannelOptions {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        ..ChannelOptions::default()
    };
    let feed = ChannelOptions {
        history_size: 10_000,
        history_ttl: Duration::from_mins(10),
        force_recovery: true,
        ..open.clone()
    };
    let namespaces = [("feed".to_owned(), Arc::new(feed)), ("noise".to_owned(), Arc::new(open))].into();
    let rules = ChannelRules { namespaces, ..ChannelRules::default() };
    Settings { rules: Arc::new(rules), recovery_limit: None, ..Settings::default() }
}

impl TestNode {
    pub(crate) fn start(redis: u16, uid: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (clock, tasks) = (Clock::system(), Tasks::new(runtime.handle().clone()));
        let random = Arc::new(Random::system());
        let listener = listen("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let (poll, bell) = Reactor::<Sessions>::poll_and_bell().unwrap();
        let post = ShardPost::new(Arc::clone(&bell), clock.now().at);
        let routes = Routes::new(vec![Arc::clone(&post)]);
        let engine = {
            let _inside = runtime.enter();
            let context = Context { clock: clock.clone(), random: Arc::clone(&random), tasks: tasks.clone() };
            let link = LinkSettings::default();
            let seeds = Seeds::Server(Address::tcp("127.0.0.1", redis));
            let shard = Shard::start(ShardSettings::new(seeds, link.clone()), &context);
            Arc::new(RedisEngine::start(EngineParts {
                uid: uid.into(),
                shards: vec![(shard, link)],
                options: RedisOptions::default(),
                sink: routes.clone(),
                control: None,
                clock: clock.clone(),
                random: Arc::clone(&random),
                tasks: tasks.clone(),
            }))
        };
        let parts = NodeParts {
            uid: uid.into(),
            name: uid.into(),
            ..NodeParts::alone(&engine, routes, clock.clone(), tasks)
        };
        let verifier = Verifier::new(TokenSettings::default()).unwrap();
        let access = Access { anonymous_without_token: true, ..Access::with_tokens(Arc::new(verifier)) };
        let node = Node::new(parts, settings(), access);
        let websocket = flywheel_protocol::client::Transport::WebSocket;
        let door = Door::new(DoorSettings {
            endpoints: vec![Endpoint::new(websocket, "/connection/websocket")],
            ..DoorSettings::default()
        });
        let sessions = Sessions::new(SessionsParts {
            node: Arc::clone(&node),
            shard: 0,
            post,
            door,
            random,
            queue_bytes_max: 1 << 20,
            packing: flywheel_hub::Packing::default(),
        });
        let settings = ReactorSettings { handshake_timeout: Duration::from_mins(1), limits: Arc::default() };
        let reactor = Reactor::new(listener, clock, settings, |_| false, bell, poll, sessions).unwrap();
        let gate = Arc::<Mutex<()>>::default();
        let passes = Arc::clone(&gate);
        std::thread::spawn(move || {
            let turn = |sessions: &mut Sessions, io: &_| {
                // Whoever holds it may fail.
                drop(passes.lock());
                sessions.control(io)
            };
            reactor.run(turn).unwrap();
        });
        Self { runtime, node, gate, engine, address }
    }

    /// The shard does nothing until the answer is dropped.
    pub(crate) fn block(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap()
    }

    /// Publishes; answers the offset.
    pub(crate) fn publish(&self, channel: &str, number: u64) -> u64 {
        let request = PublishRequest {
            data: Payload::new(number.to_string().into()),
            tags: Tags::default(),
            skip_history: false,
            idempotency_key: None,
            version: None,
            delta: false,
        };
        self.runtime.block_on(self.node.publish(channel, request)).unwrap().unwrap().offset
    }

    /// A counter, as it is shown.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let metrics = self.node.metrics().render();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().unwrap())
    }

    /// Bytes of deliveries that wait for the shard.
    pub(crate) fn mailbox_bytes(&self) -> usize {
        self.node.posts()[0].deliveries.bytes()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.runtime.block_on(self.node.shut_down(&Disconnect::SHUTDOWN, Duration::from_secs(5)));
    }
}
