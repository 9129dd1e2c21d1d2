use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use flywheel_auth::{TokenSettings, Verifier};
use flywheel_engine::{Call, Fault, FaultyEngine, LossySink, MemoryEngine, MemoryLimits, Sink};
use flywheel_model::{Channel, ChannelOptions, ChannelRules, Payload};
use flywheel_node::{Access, Node, NodeParts, PublishRequest, Routes, ShardPost, Whom};
use flywheel_protocol::Disconnect;
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_session::Settings;
use flywheel_testkit::JsonClient;
use flywheel_transport::{
    ConnectionLimits, Door, DoorSettings, Endpoint, Reactor, ReactorSettings, Sessions, SessionsParts, listen,
};
use serde_json::json;
use tokio::runtime::Runtime;

pub(crate) const SECRET: &str = "outage";
pub(crate) const CHANNELS: usize = 40;
const SHARDS: usize = 2;

pub(crate) fn channel(number: usize) -> String {
    format!("feed:{number}")
}

/// A node with its shards, on an engine that can be broken.
pub(crate) struct TestNode {
    runtime: Runtime,
    node: Arc<Node>,
    routes: Arc<Routes>,
    pub engine: Arc<FaultyEngine>,
    pub sink: Arc<LossySink>,
    pub address: SocketAddr,
}

fn settings() -> Settings {
    let feed = ChannelOptions {
        allow_history_for_client: true,
        history_size: 100_000,
        history_ttl: Duration::from_mins(10),
        force_recovery: true,
        presence: true,
        ..ChannelOptions::default()
    };
    let rules =
        ChannelRules { namespaces: [("feed".to_owned(), Arc::new(feed))].into(), ..ChannelRules::default() };
    Settings { rules: Arc::new(rules), recovery_limit: None, ..Settings::default() }
}

impl TestNode {
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (clock, tasks) = (Clock::system(), Tasks::new(runtime.handle().clone()));
        let listeners = listen("127.0.0.1:0".parse().unwrap(), SHARDS).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let polls: Vec<_> = (0..SHARDS).map(|_| Reactor::<Sessions>::poll_and_bell().unwrap()).collect();
        let posts: Vec<_> =
            polls.iter().map(|(_, bell)| ShardPost::new(Arc::clone(bell), clock.now().at)).collect();
        let routes = Routes::new(posts.clone());
        let sink = Arc::new(LossySink::new(routes.clone()));
        let memory =
            MemoryEngine::new(sink.clone(), clock.clone(), Random::seeded(1), MemoryLimits::default());
        let engine = Arc::new(FaultyEngine::new(Arc::new(memory)));
        let parts = NodeParts::alone(&engine, routes.clone(), clock.clone(), tasks);
        let token = TokenSettings { hmac_secret_key: Some(SECRET.into()), ..TokenSettings::default() };
        let access = Access::with_tokens(Arc::new(Verifier::new(token).unwrap()));
        let node = Node::new(parts, settings(), access);
        let door = Door::new(DoorSettings {
            endpoints: vec![Endpoint {
                limits: Arc::new(ConnectionLimits {
                    write_timeout: Duration::from_mins(1),
                    ..ConnectionLimits::default()
                }),
                ..Endpoint::new(flywheel_protocol::client::Transport::WebSocket, "/connection/websocket")
            }],
            ..DoorSettings::default()
        });
        for (shard, ((listener, (poll, bell)), post)) in
            listeners.into_iter().zip(polls).zip(posts).enumerate()
        {
            let sessions = Sessions::new(SessionsParts {
                node: Arc::clone(&node),
                shard,
                post,
                door: Arc::clone(&door),
                random: Arc::new(Random::system()),
                queue_bytes_max: 1 << 20,
                packing: flywheel_hub::Packing::default(),
            });
            let settings =
                ReactorSettings { handshake_timeout: Duration::from_mins(1), limits: Arc::default() };
            let reactor =
                Reactor::new(listener, clock.clone(), settings, |_| false, bell, poll, sessions).unwrap();
            std::thread::spawn(move || reactor.run(Sessions::control).unwrap());
        }
        Self { runtime, node, routes, engine, sink, address }
    }

    /// Every call that `held` names waits until it is released.
    pub(crate) fn hold(&self, held: fn(Call) -> bool) {
        self.engine.set(move |call| if held(call) { Fault::Hold } else { Fault::None });
    }

    /// Makes publication `number` of every channel.
    pub(crate) fn publish_everywhere(&self, number: u64) {
        for index in 0..CHANNELS {
            let request = PublishRequest {
                data: Payload::new(number.to_string().into()),
                tags: flywheel_model::Tags::default(),
                skip_history: false,
                idempotency_key: None,
                version: None,
                delta: false,
            };
            let published = self.runtime.block_on(self.node.publish(&channel(index), request));
            assert_eq!(published.unwrap().unwrap().offset, number);
        }
    }

    /// Ends the subscriptions of these users to their first channel.
    pub(crate) fn unsubscribe(&self, users: Range<usize>) {
        for user in users {
            let whom = Whom { user: format!("u{user}"), ..Whom::default() };
            self.runtime.block_on(self.node.unsubscribe_clients(&whom, &channel(user % CHANNELS))).unwrap();
        }
    }

    /// How long a command waits for its reply whose question nobody answers.
    pub(crate) fn probe(&self) -> Duration {
        let clock = Clock::system();
        let token = flywheel_testkit::sign(SECRET, r#"{"sub":"probe"}"#);
        let mut client = JsonClient::connect(self.address, Some(&token));
        let started = clock.elapsed();
        let reply = client.command("history", json!({"channel": channel(0), "limit": 1}));
        assert_eq!(reply["error"]["code"], 100, "{reply}");
        clock.elapsed().saturating_sub(started)
    }

    /// As an engine does that has lost its connection for a while.
    pub(crate) fn gap_everywhere(&self) {
        (0..CHANNELS).for_each(|index| self.routes.gap(&Channel::from(channel(index).as_str())));
    }

    /// Subscriptions that lacked something and have it now, as counted within the last second.
    pub(crate) fn gaps_healed(&self) -> u64 {
        let metrics = self.node.metrics().render();
        let line = metrics.lines().find_map(|line| line.strip_prefix("flywheel_gaps_healed_total "));
        line.map_or(0, |number| number.parse().unwrap())
    }

    pub(crate) fn mailbox_bytes(&self) -> usize {
        self.node.posts().iter().map(|post| post.deliveries.bytes()).max().unwrap_or_default()
    }

    pub(crate) fn tasks(&self) -> usize {
        self.node.tasks().count()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.runtime.block_on(self.node.shut_down(&Disconnect::SHUTDOWN, Duration::from_secs(5)));
    }
}
