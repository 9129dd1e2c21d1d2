use std::sync::{Arc, Weak};
use std::time::Duration;

use flywheel_engine::Dependency;
use flywheel_model::Timestamp;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::publish::publish_word;
use super::shard::Shard;
use crate::keys::Keys;
use crate::resp::Command;
use crate::subscriber::Topic;

/// Restarts in a row after which a connection that hears nothing is restarted more and more rarely, up to this pause.
const RESTARTS: u32 = 3;
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a written probe is kept, in milliseconds.
const KEPT_MILLIS: &[u8] = b"10000";

/// What probes have found. A fault shorter than the tolerance is not reported.
#[derive(Debug)]
pub(super) struct Found {
    what: &'static str,
    tolerance: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    passed_at: Option<Timestamp>,
    /// Since when it is as it is reported.
    since: Timestamp,
    was_ok: bool,
    reason: String,
}

impl Found {
    pub(super) fn new(what: &'static str, tolerance: Duration, now: Timestamp) -> Self {
        let state = State { passed_at: None, since: now, was_ok: false, reason: "not probed yet".into() };
        Self { what, tolerance, state: Mutex::new(state) }
    }

    fn pass(&self, now: Timestamp) {
        let mut state = self.state.lock();
        state.passed_at = Some(now);
        if !state.was_ok {
            (state.was_ok, state.since) = (true, now);
        }
        state.reason.clear();
    }

    fn fail(&self, reason: impl Into<String>) {
        self.state.lock().reason = reason.into();
    }

    /// As it is reported.
    pub(super) fn report(&self, name: &str, now: Timestamp) -> Dependency {
        let mut state = self.state.lock();
        let ok = state.passed_at.is_some_and(|passed| now.since(passed) < self.tolerance);
        if state.was_ok && !ok {
            (state.was_ok, state.since) = (false, now);
        }
        let reason = match (ok, state.reason.as_str()) {
            (true, _) => String::new(),
            (false, "") => "no probe was answered".to_owned(),
            (false, reason) => reason.to_owned(),
        };
        Dependency { name: format!("{name}.{}", self.what), ok, reason, for_: now.since(state.since) }
    }
}

/// Proves again and again that the shard can be written to, and that what is published there is heard here. Ends when the
/// shard is dropped.
pub(super) async fn run(weak: Weak<Shard>, write: Arc<Found>, delivery: Arc<Found>, uid: String) {
    let (mut restarts, mut probe_channel_wanted) = (0, false);
    let mut quiet_until = Timestamp::ZERO;
    loop {
        let Some(shard) = weak.upgrade() else { return };
        let interval = shard.options.probe_interval;
        let deadline = shard.clock.now().at + interval;
        match shard.keys(deadline).await {
            Err(error) => {
                write.fail(error.to_string());
                delivery.fail(error.to_string());
            }
            Ok(keys) => {
                if !probe_channel_wanted {
                    let name = keys.of_probe(&uid).delivery_probe();
                    probe_channel_wanted = shard.subscriber.want(name, Topic::Probe).is_ok();
                }
                // Together, so that the one does not make the other late.
                let (written, heard) =
                    tokio::join!(shard.probe_write(keys, &uid, deadline), shard.probe_delivery(keys, &uid));
                match written {
                    Ok(()) => write.pass(shard.clock.now().at),
                    Err(reason) => write.fail(reason),
                }
                match heard {
                    Heard::Yes => {
                        delivery.pass(shard.clock.now().at);
                        restarts = 0;
                    }
                    Heard::NotSent(reason) => delivery.fail(reason),
                    Heard::No => {
                        delivery.fail("what is published is not heard");
                        let now = shard.clock.now().at;
                        if now >= quiet_until {
                            shard.subscriber.restart("what is published is not heard");
                            restarts += 1;
                            let pause = 1 << (restarts.min(RESTARTS + 4) - restarts.min(RESTARTS));
                            let is_often = restarts >= RESTARTS;
                            let pause = Duration::from_secs(pause).min(RESTART_PAUSE_MAX);
                            quiet_until = now + if is_often { pause } else { Duration::ZERO };
                        }
                    }
                }
            }
        }
        let left = deadline.since(shard.clock.now().at);
        drop(shard);
        sleep(left.max(interval / 10)).await;
    }
}

enum Heard {
    Yes,
    No,
    /// There is nobody to publish to, or nobody who could hear.
    NotSent(String),
}

impl Shard {
    async fn probe_write(&self, keys: &Keys, uid: &str, deadline: Timestamp) -> Result<(), String> {
        let tag = keys.of_probe(uid);
        let key = tag.write_probe();
        let script = self.scripts.write_probe.call(&[&key], &[KEPT_MILLIS]);
        let call = Self::call_of(&tag, deadline);
        self.script(call, &script).await.map(drop).map_err(|error| error.to_string())
    }

    async fn probe_delivery(&self, keys: &Keys, uid: &str) -> Heard {
        let state = self.subscriber.states().borrow().clone();
        if !state.is_up {
            return Heard::NotSent(state.reason);
        }
        let tag = keys.of_probe(uid);
        let nonce = self.random.next_u64();
        let mut heard = self.ears.probes();
        let interval = self.options.probe_interval;
        let call = Self::call_of(&tag, self.clock.now().at + interval);
        let command = Command::new(publish_word(&tag)).arg(tag.delivery_probe()).arg(format!("{nonce:016x}"));
        if let Err(error) = self.command(call, command).await {
            return Heard::NotSent(error.to_string());
        }
        match timeout(interval, heard.wait_for(|last| *last == nonce)).await {
            Ok(Ok(_)) => Heard::Yes,
            _ => Heard::No,
        }
    }
}
