use std::time::Duration;

use flywheel_engine::conformance::{Harness, Recorder, run};
use flywheel_engine::{Answer, Broker, Presence};
use flywheel_redis::engine::RedisOptions;
use flywheel_redis::link::{Endpoint, LinkSettings};
use flywheel_testkit::{RedisOptions as ServerOptions, RedisRelease, RedisServer};

use crate::fixture::{Ground, Node, local, until};

struct OnRedis {
    node: Node,
    ground: Ground,
    _server: RedisServer,
}

impl Harness for OnRedis {
    fn broker(&self) -> &dyn Broker {
        &self.node.engine
    }

    fn presence(&self) -> &dyn Presence {
        &self.node.engine
    }

    fn sink(&self) -> &Recorder {
        &self.node.ear.recorder
    }

    fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T {
        self.ground.wait(answer)
    }

    fn pass(&self, time: Duration) {
        // The server has no clock that could be moved.
        std::thread::sleep(time);
    }

    fn until(&self, condition: &mut dyn FnMut() -> bool) {
        until("the engine delivers", condition);
    }
}

fn check(endpoint: impl FnOnce(&RedisServer) -> Endpoint, link: LinkSettings, options: RedisOptions) {
    check_on(RedisRelease::Installed, endpoint, link, options);
}

fn check_on(
    release: RedisRelease,
    endpoint: impl FnOnce(&RedisServer) -> Endpoint,
    link: LinkSettings,
    options: RedisOptions,
) {
    let server = RedisServer::with(&ServerOptions::of(release));
    let ground = Ground::new();
    // The suite checks what is answered, not how fast a busy machine is.
    let command_timeout = Duration::from_secs(10);
    let options = RedisOptions { presence_ttl: Duration::from_secs(3), command_timeout, ..options };
    let node = ground.engine("conformance", endpoint(&server), link, options);
    run(&OnRedis { node, ground, _server: server });
}

fn tcp(server: &RedisServer) -> Endpoint {
    local(server.port())
}

#[test]
fn streams_over_tcp_conform() {
    check(tcp, LinkSettings::default(), RedisOptions::default());
}

#[test]
fn streams_over_a_unix_socket_conform() {
    let unix = |server: &RedisServer| Endpoint::Unix(server.socket());
    check(unix, LinkSettings::default(), RedisOptions::default());
}

#[test]
fn version_2_of_the_protocol_conforms() {
    let link = LinkSettings { resp2: true, ..LinkSettings::default() };
    check(tcp, link, RedisOptions { prefix: "v2".into(), ..RedisOptions::default() });
}

#[test]
fn lists_and_counted_users_conform() {
    let options = RedisOptions { history_lists: true, presence_users: true, ..RedisOptions::default() };
    check(tcp, LinkSettings { db: 3, ..LinkSettings::default() }, options);
}

#[test]
fn redis_8_conforms_and_lets_presence_expire_field_by_field() {
    let options = RedisOptions { presence_field_ttl: true, presence_users: true, ..RedisOptions::default() };
    check_on(RedisRelease::Redis8, tcp, LinkSettings::default(), options);
}

#[test]
fn valkey_8_conforms() {
    check_on(RedisRelease::Valkey8, tcp, LinkSettings::default(), RedisOptions::default());
}
