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
