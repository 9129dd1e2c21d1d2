use std::path::Path;
use std::time::{Duration, Instant};

use flywheel_redis::topology::Seeds;
use flywheel_testkit::{Bound, RedisClient, RedisServer, wait_until};

use crate::nodes::{PATIENCE, World, local, plain};

/// Until a node is not ready, and until it is again.
const REPORTED: Duration = Duration::from_secs(3);
const MENDED: Duration = Duration::from_secs(1);

/// A way in which a server refuses: how it comes to do so, what the node says of it, and how that ends.
struct Refusal {
    word: &'static str,
    told: &'static str,
    begin: fn(&mut RedisClient, &RedisServer),
    end: fn(&mut RedisClient, &RedisServer),
}

fn run(client: &mut RedisClient, line: &str) {
    client.run(&line.split(' ').collect::<Vec<_>>());
}

/// Closes every connection but the one that asks for it.
fn kill_others(client: &mut RedisClient) {
    run(client, "CLIENT KILL SKIPME yes");
}

const REFUSALS: [Refusal; 9] = [
    Refusal {
        word: "OOM",
        told: "OOM",
        begin: |client, _| run(client, "CONFIG SET maxmemory 1"),
        end: |client, _| run(client, "CONFIG SET maxmemory 0"),
    },
    Refusal {
        word: "MISCONF",
        told: "MISCONF",
        begin: |client, server| {
            // A folder in the place of the file makes saving fail.
            std::fs::create_dir(dump(server)).unwrap();
            client.run(&["CONFIG", "SET", "save", "3600 1"]);
            run(client, "BGSAVE");
        },
        end: |client, server| {
            run(client, "CONFIG SET stop-writes-on-bgsave-error no");
            std::fs::remove_dir(dump(server)).unwrap();
        },
    },
    Refusal {
        word: "NOREPLICAS",
        told: "NOREPLICAS",
        begin: |client, _| run(client, "CONFIG SET min-replicas-to-write 1"),
        end: |client, _| run(client, "CONFIG SET min-replicas-to-write 0"),
    },
    Refusal {
        word: "READONLY",
        told: "replica of 127.0.0.1:1",
        begin: |client, _| run(client, "REPLICAOF 127.0.0.1 1"),
        end: |client, _| run(client, "REPLICAOF NO ONE"),
    },
    Refusal {
        word: "LOADING",
        told: "LOADING",
        begin: |client, _| {
            run(client, "DEBUG POPULATE 20000");
            run(client, "CONFIG SET key-load-delay 500");
            run(client, "CONFIG SET loading-process-events-interval-bytes 1024");
            client.send(&["DEBUG", "RELOAD"]).unwrap();
        },
        // It is over when it is loaded.
        end: |client, server| {
            server.run(&["CONFIG", "SET", "key-load-delay", "0"]);
            client.read().unwrap();
        },
    },
    Refusal {
        word: "BUSY",
        told: "BUSY",
        begin: |client, _| {
            run(client, "CONFIG SET busy-reply-threshold 50");
            client.send(&["EVAL", "while true do end", "0"]).unwrap();
        },
        end: |client, server| {
            server.run(&["SCRIPT", "KILL"]);
            client.read().unwrap();
        },
    },
    Refusal {
        word: "NOAUTH",
        told: "engine.redis.password",
        begin: |client, _| {
            run(client, "CONFIG SET requirepass secret");
            kill_others(client);
        },
        end: |client, _| run(client, "CONFIG SET requirepass "),
    },
    Refusal {
        word: "maxclients",
        told: "max number of clients",
        begin: |client, _| {
            run(client, "CONFIG SET maxclients 1");
            kill_others(client);
        },
        end: |client, _| run(client, "CONFIG SET maxclients 1000"),
    },
    Refusal {
        word: "NOPERM",
        told: "NOPERM",
        begin: |client, _| run(client, "ACL SETUSER default -evalsha -eval"),
        end: |client, _| run(client, "ACL SETUSER default +@all"),
    },
];

fn dump(server: &RedisServer) -> std::path::PathBuf {
    server.socket().parent().map(Path::to_path_buf).unwrap().join("dump.rdb")
}

#[test]
fn r7_a_server_that_takes_no_writes_is_reported_in_its_own_words() {
    for Refusal { word, told, begin, end } in REFUSALS {
        let redis = RedisServer::start();
        let mut client = redis.client().unwrap();
        let world = World::of(1, &[plain(Seeds::Server(local(redis.port())))]);
        world.wait_ready();
        begin(&mut client, &redis);
        let began = Instant::now();
        let mut said = String::new();
        let named = wait_until(PATIENCE, || {
            said = world.reason("write");
            said.contains(told) && world.is_unready()
        });
        assert!(named, "{told:?} was expected for {word}, and {said:?} is what it says");
        Bound::new("R7", REPORTED).holds("not ready", began.elapsed(), &format!("after {word}"));
        drop(world.publish(0, "room", word));
        end(&mut client, &redis);
        let since = format!("after {word} was over");
        Bound::new("R7", MENDED).holds("ready again", world.wait_ready(), &since);
        world.wait_publishes("room");
        world.finish("R7");
    }
}
