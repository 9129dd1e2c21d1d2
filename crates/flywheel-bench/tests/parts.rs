//! The baselines against the clients that drive them, as processes, the way a measurement uses them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

struct Part {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flywheel-bench"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, lines }
    }

    fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next line; `None` when the process ended.
    fn hear(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    fn address(&mut self) -> String {
        self.hear().unwrap().strip_prefix("listening ").unwrap().to_owned()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn raw_with_sink() -> (Part, Part) {
    let mut raw = Part::start(&["raw", "--connections", "20"]);
    let address = raw.address();
    let mut sink = Part::start(&["sink", "--address", &address, "--connections", "20"]);
    assert_eq!(sink.hear().as_deref(), Some("ready"));
    (raw, sink)
}

#[test]
fn every_client_of_the_sink_receives_the_raw_senders_frames() {
    let (mut raw, mut sink) = raw_with_sink();
    raw.say("burst 3");
    sink.say("check 3");
    assert_eq!(sink.hear().as_deref(), Some("done"));
    for _ in 0..5 {
        sink.say("burst 1056");
        raw.say("burst 8");
        assert_eq!(sink.hear().as_deref(), Some("done"));
    }
    sink.say("quiet");
    assert_eq!(sink.hear().as_deref(), Some("done"));
}

#[test]
fn a_frame_too_many_is_noticed() {
    let (mut raw, mut sink) = raw_with_sink();
    sink.say("burst 132");
    raw.say("burst 2");
    assert_eq!(sink.hear().as_deref(), Some("done"));
    sink.say("check 1");
    assert_eq!(sink.hear().as_deref(), Some("done"), "the second frame was there, whole");
    raw.say("burst 1");
    sink.say("burst 131");
    assert_eq!(sink.hear().as_deref(), Some("done"));
    sink.say("quiet");
    assert_eq!(sink.hear(), None, "one byte is left");
    assert!(!sink.child.wait().unwrap().success());
}

#[test]
fn a_server_that_goes_away_fails_the_burst() {
    let (mut raw, mut sink) = raw_with_sink();
    raw.child.kill().unwrap();
    sink.say("burst 132");
    assert_eq!(sink.hear(), None);
}

#[test]
fn whole_lives_of_clients_are_served_by_the_bare_poller() {
    let mut bare = Part::start(&["bare"]);
    let address = bare.address();
    let mut dial = Part::start(&["dial", "--address", &address, "--at-once", "8"]);
    assert_eq!(dial.hear().as_deref(), Some("ready"));
    for units in ["go 100", "go 3", "go 0"] {
        dial.say(units);
        assert_eq!(dial.hear().as_deref(), Some("done"));
    }
}

#[test]
fn publications_are_served_by_the_bare_framework() {
    let mut axum = Part::start(&["axum"]);
    let address = axum.address();
    let mut post = Part::start(&["post", "--address", &address, "--at-once", "8"]);
    assert_eq!(post.hear().as_deref(), Some("ready"));
    for units in ["go 200", "go 3"] {
        post.say(units);
        assert_eq!(post.hear().as_deref(), Some("done"));
    }
}

#[test]
fn a_wrong_server_is_an_error_for_each_load() {
    let mut axum = Part::start(&["axum"]);
    let mut bare = Part::start(&["bare"]);
    let (http, websocket) = (axum.address(), bare.address());
    for arguments in
        [["dial", "--address", &http, "--at-once", "1"], ["post", "--address", &websocket, "--at-once", "1"]]
    {
        let mut load = Part::start(&arguments);
        assert_eq!(load.hear().as_deref(), Some("ready"));
        load.say("go 1");
        assert_eq!(load.hear(), None, "{arguments:?}");
    }
}

/// Dropping it kills it.
struct Redis(Child, u16);

impl Redis {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        Self(command.stdout(Stdio::null()).spawn().unwrap(), port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn what_one_engine_publishes_another_one_hears_and_times() {
    let redis = Redis::start();
    let address = format!("127.0.0.1:{}", redis.1);
    let mut engines = [(); 2].map(|()| Part::start(&["engine", "--redis", &address]));
    for engine in &mut engines {
        assert_eq!(engine.hear().as_deref(), Some("ready"));
    }
    let [one, other] = &mut engines;
    let ask = |part: &mut Part, order: &str, word: &str| {
        part.say(order);
        let answer = part.hear().unwrap();
        answer.strip_prefix(word).unwrap_or_else(|| panic!("{order}: {answer}")).trim().to_owned()
    };
    ask(other, "listen a b", "done");
    ask(other, "expect 100", "done");
    ask(one, "publish 100 7 a b", "published");
    ask(other, "complete", "complete");
    ask(other, "expect 50", "done");
    ask(one, "pace 50 1000 a", "published");
    ask(other, "complete", "complete");
    let latency = ask(other, "latency", "latency");
    let figures: Vec<u64> = latency.split(' ').map(|figure| figure.parse().unwrap()).collect();
    assert!(figures.len() == 3 && figures.is_sorted() && figures[0] > 0, "{latency}");
    ask(one, "subscribe 1000 100", "subscribed");
}
