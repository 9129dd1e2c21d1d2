use std::sync::{Arc, Weak};
use std::time::Duration;

use flywheel_engine::Dependency;
use flywheel_model::Timestamp;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::RedisOptions;
use super::hearing::Hearer;
use super::route::Call;
use super::shard::Shard;
use crate::keys::{Keys, Layout, key_slot};
use crate::resp::Command;
use crate::subscriber::{CaughtUp, Topic};
use crate::topology::{Condition, Health, Tolerance};

/// Restarts in a row after which a connection that hears nothing is restarted more and more rarely, up to this pause.
const RESTARTS: u32 = 3;
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a written probe is kept, in milliseconds.
const KEPT_MILLIS: &[u8] = b"10000";

/// What probes have found. All of it is reported; what is no blink is logged, once.
///
/// The locks guard what they found; nothing is taken under them.
#[derive(Debug)]
pub(super) struct Found {
    what: &'static str,
    health: Mutex<Health>,
    /// How long each of those took that passed since somebody asked.
    times: Mutex<Vec<Duration>>,
}

/// Times that are kept until somebody asks: those of a quarter of an hour. Further ones are not.
const TIMES_MAX: usize = 1024;

impl Found {
    pub(super) fn new(what: &'static str, options: &RedisOptions, now: Timestamp) -> Self {
        let interval = options.probe_interval;
        let silence = options.probe_tolerance;
        // From the beginning of one probe to the end of the next, and what a busy machine adds.
        let overdue = silence.max(interval * 5 / 2);
        let tolerance = Tolerance { silence, overdue, ..Tolerance::default() };
        Self { what, health: Mutex::new(Health::new(now, tolerance)), times: Mutex::default() }
    }

    /// How long each probe took that passed since this was last asked.
    pub(super) fn take_times(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.times.lock())
    }

    fn pass(&self, shard: &Shard, began: Timestamp, took: Duration) {
        {
            let mut times = self.times.lock();
            if times.len() < TIMES_MAX {
                times.push(took);
            }
        }
        if self.health.lock().handle_pass(began) {
            tracing::info!(name = %format_args!("{}.{}", shard.name, self.what), "Redis serves");
        }
    }

    fn fail(&self, shard: &Shard, reason: &str) {
        if self.health.lock().handle_failure(shard.clock.now().at, reason) {
            tracing::warn!(name = %format_args!("{}.{}", shard.name, self.what), %reason, "Redis does not serve");
        }
    }

    /// Pause before the next probe: so that a fault is found within two intervals, whenever it begins. What fails is looked
    /// at more often, so that its end is reported soon.
    fn pause(&self, shard: &Shard) -> Duration {
        let interval = shard.options.probe_interval;
        let is_well = self.health.lock().is_well();
        if is_well { interval * 3 / 4 } else { interval / 4 }
    }

    /// As it is reported.
    pub(super) fn report(&self, name: &str, now: Timestamp) -> Dependency {
        let Condition { ok, reason, since } = self.health.lock().condition(now);
        Dependency { name: format!("{name}.{}", self.what), ok, reason, for_: now.since(since) }
    }
}

/// Proves again and again that every server of the shard takes writes. Ends when the shard is dropped.
pub(super) async fn write(weak: Weak<Shard>, found: Arc<Found>) {
    loop {
        let Some(shard) = weak.upgrade() else { return };
        let interval = shard.options.probe_interval;
        let (began, clocked) = (shard.clock.now().at, shard.clock.elapsed());
        match shard.probe_writes(began + interval).await {
            Ok(()) => found.pass(&shard, began, shard.clock.elapsed().saturating_sub(clocked)),
            Err(reason) => found.fail(&shard, &reason),
        }
        let pause = found.pause(&shard);
        drop(shard);
        sleep(pause).await;
    }
}

/// Proves again and again that what is published is heard by `hearer`, which listens anew when it is not. Ends when the
/// shard is dropped.
pub(super) async fn hear(weak: Weak<Shard>, hearer: Arc<Hearer>) {
    let (mut restarts, mut round) = (0, 0_usize);
    let mut quiet_until = Timestamp::ZERO;
    loop {
        let Some(shard) = weak.upgrade() else { return };
        let interval = shard.options.probe_interval;
        let (began, clocked) = (shard.clock.now().at, shard.clock.elapsed());
        match shard.keys(began + interval).await {
            Err(error) => hearer.found.fail(&shard, &error.to_string()),
            Ok(keys) => {
                let name = shard.probe_name(keys, hearer.slot);
                round = round.wrapping_add(1);
                match shard.probe_delivery(&hearer, name, round).await {
                    Heard::Yes => {
                        hearer.found.pass(&shard, began, shard.clock.elapsed().saturating_sub(clocked));
                        restarts = 0;
                    }
                    Heard::NotSent(reason) => hearer.found.fail(&shard, &reason),
                    Heard::Late => hearer.found.fail(&shard, "what is published is heard late"),
                    Heard::No => {
                        hearer.found.fail(&shard, "what is published is not heard");
                        let now = shard.clock.now().at;
                        if now >= quiet_until {
                            hearer.subscriber.restart("what is published is not heard");
                            shard.router.look();
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
        let pause = hearer.found.pause(&shard);
        drop(shard);
        sleep(pause).await;
    }
}

enum Heard {
    Yes,
    No,
    /// What was published before is still being read.
    Late,
    /// There is nobody to publish to, or nobody who could hear.
    NotSent(String),
}

impl Shard {
    /// Writes to every server, at the same time.
    async fn probe_writes(self: &Arc<Self>, deadline: Timestamp) -> Result<(), String> {
        self.keys(deadline).await.map_err(|error| error.to_string())?;
        let servers = self.router.writable();
        let reason = self.router.reason();
        if servers.is_empty() || !reason.is_empty() {
            return Err(if reason.is_empty() { "no server is known".to_owned() } else { reason });
        }
        let mut writing = JoinSet::new();
        for (server, spread) in servers {
            let shard = Arc::clone(self);
            writing.spawn(async move {
                let result = shard.probe_write(&spread, deadline).await;
                result.map_err(|error| format!("{error} (from {server})"))
            });
        }
        let mut worst = Ok(());
        while let Some(result) = writing.join_next().await {
            worst = worst.and(result.unwrap_or_else(|error| Err(error.to_string())));
        }
        worst
    }

    async fn probe_write(&self, spread: &str, deadline: Timestamp) -> Result<(), String> {
        let Some(keys) = self.keys.get() else { return Err("no server has said what it is".to_owned()) };
        let tag = keys.of_probe(spread);
        let key = format!("{}.{}", tag.write_probe(), self.uid);
        let script = self.scripts.write_probe.call(&[&key], &[KEPT_MILLIS]);
        let call = Call { is_repeatable: true, ..Self::call_of(&tag, deadline) };
        self.script(call, &script).await.map(drop).map_err(|error| error.to_string())
    }

    /// The channel on which this node hears itself: in the slot, or anywhere.
    fn probe_name(&self, keys: &Keys, slot: Option<u16>) -> String {
        let spread = match (slot, keys.layout()) {
            (Some(slot), Layout::Partitioned(partitions)) => (0..partitions)
                .map(|index| index.to_string())
                .find(|index| key_slot(index.as_bytes()) == slot),
            _ => None,
        };
        let tag = keys.of_probe(spread.as_deref().unwrap_or(&self.uid));
        format!("{}.{}", tag.delivery_probe(), self.uid)
    }

    /// Publishes where `hearer` does not listen itself, if there is such a place, each time in another one.
    async fn probe_delivery(&self, hearer: &Hearer, name: String, round: usize) -> Heard {
        let state = hearer.subscriber.states().borrow().clone();
        if !state.is_up {
            return Heard::NotSent(state.reason);
        }
        let nonce = self.random.next_u64();
        let mut heard = hearer.probes();
        let interval = self.options.probe_interval;
        // Before the connection listens to it, a probe would be lost on a connection that is fine.
        let deadline = self.clock.now().at + interval;
        if let Err(error) = hearer.subscriber.subscribe(name.clone(), Topic::Probe, deadline).await {
            return Heard::NotSent(error.to_string());
        }
        let slot = hearer.slot.unwrap_or_else(|| {
            let ear = hearer.at.borrow().clone();
            let mut others = self.router.writable();
            others.retain(|(server, _)| Some(server) != ear.as_ref());
            let spread = others.get(round % others.len().max(1)).map(|(_, spread)| spread.as_str());
            key_slot(spread.unwrap_or(&name).as_bytes())
        });
        let deadline = self.clock.now().at + interval;
        let call = Call { slot, deadline, writes: true, is_repeatable: true };
        let word = if hearer.slot.is_some() { "SPUBLISH" } else { "PUBLISH" };
        let command = Command::new(word).arg(name).arg(format!("{nonce:016x}"));
        if let Err(error) = self.command(call, command).await {
            return Heard::NotSent(error.to_string());
        }
        if timeout(interval, heard.wait_for(|last| *last == nonce)).await.is_ok_and(|heard| heard.is_ok()) {
            return Heard::Yes;
        }
        // It may lie behind very much else, which a new connection would lose.
        let caught_up = hearer.subscriber.catch_up(interval).await;
        let is_same = hearer.subscriber.states().borrow().generation == state.generation;
        match caught_up {
            CaughtUp::Yes if *heard.borrow() == nonce => Heard::Yes,
            CaughtUp::Yes if is_same => Heard::No,
            CaughtUp::NotYet if is_same => Heard::Late,
            _ => Heard::NotSent("the connection that listens has ended".to_owned()),
        }
    }
}
