use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::watch::{Said, SentinelWatch};
use super::{Chosen, Fence, SentinelTable};
use crate::link::{Endpoint, Facts, LinkSettings, Mode};
use crate::topology::shard::alive;
use crate::topology::{Context, Routes, Server, Shard, Verdict, judge_master, unknown_master};

/// How often to look at the time.
const TICK: Duration = Duration::from_millis(50);
/// What Sentinels said and nobody has read; more is said again at the next poll.
const SAID_MAX: usize = 1024;
/// Sentinels that are asked.
const SENTINELS_MAX: usize = 64;

/// Follows the primary that the Sentinels name.
pub(in crate::topology) async fn run(
    weak: Weak<Shard>,
    sentinels: Vec<Endpoint>,
    name: String,
    settings: LinkSettings,
) {
    let Some(shard) = alive(&weak) else { return };
    let context = shard.context().clone();
    let keys = shard.settings().keys.clone();
    drop(shard);
    let (said, mut heard) = mpsc::channel(SAID_MAX);
    let mut driver = Driver {
        weak,
        name,
        keys,
        settings,
        context,
        said,
        poke: watch::Sender::new(0),
        table: SentinelTable::default(),
        fence: Fence::default(),
        asked: BTreeMap::new(),
        silent_since: None,
    };
    for sentinel in sentinels {
        driver.ask_too(sentinel);
    }
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some(shard) = alive(&driver.weak) else { return };
        tokio::select! {
            Some((from, said)) = heard.recv() => driver.handle(&shard, &from, said),
            _ = ticks.tick() => driver.handle_tick(&shard),
            () = shard.refresh.notified() => driver.poke(),
        }
    }
}

struct Driver {
    weak: Weak<Shard>,
    name: String,
    keys: String,
    settings: LinkSettings,
    context: Context,
    said: mpsc::Sender<(Endpoint, Said)>,
    poke: watch::Sender<u64>,
    table: SentinelTable,
    fence: Fence,
    /// Every Sentinel that is asked, and why it is of no use, if so.
    asked: BTreeMap<Endpoint, Option<String>>,
    /// Whether it was told that none answers.
    silent_since: Option<()>,
}

impl Driver {
    fn ask_too(&mut self, endpoint: Endpoint) {
        if self.asked.contains_key(&endpoint) || self.asked.len() >= SENTINELS_MAX {
            return;
        }
        self.asked.insert(endpoint.clone(), None);
        self.table.handle_known(self.asked.len());
        let watch = SentinelWatch {
            endpoint,
            settings: self.settings.clone(),
            name: self.name.clone(),
            keys: self.keys.clone(),
            context: self.context.clone(),
            said: self.said.clone(),
            poke: self.poke.subscribe(),
        };
        watch.start();
    }

    fn poke(&self) {
        self.poke.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn handle(&mut self, shard: &Shard, from: &Endpoint, said: Said) {
        let now = self.context.now();
        match said {
            Said::Primary(says) => {
                self.asked.insert(from.clone(), None);
                if let Some(chosen) = self.table.handle_answer(now, from, says) {
                    self.follow(shard, &chosen);
                }
                shard.set_refusal(None);
            }
            Said::Unknown(known) => {
                let Verdict::Refuse(reason) = unknown_master(&self.name, &known, &shard.settings().keys)
                else {
                    return;
                };
                self.useless(shard, from, reason);
            }
            Said::Silent(reason) => self.useless(shard, from, reason),
            Said::Others(others) => others.into_iter().for_each(|other| self.ask_too(other)),
            Said::Event(event) => {
                self.fence.handle_event(now, event);
                shard.set_fence(self.fence.is_held(now));
                self.poke();
            }
        }
    }

    fn useless(&mut self, shard: &Shard, from: &Endpoint, reason: String) {
        self.asked.insert(from.clone(), Some(reason));
        // While a primary is known, that is what counts.
        if self.table.chosen().is_none() && self.asked.values().all(Option::is_some) {
            let reason = self.asked.values().flatten().next().cloned();
            shard.set_refusal(reason);
        }
    }

    fn handle_tick(&mut self, shard: &Shard) {
        let now = self.context.now();
        self.fence.handle_timeout(now);
        shard.set_fence(self.fence.is_held(now));
        let serves = shard.routes().servers.first().is_some_and(|server| server.link().is_some());
        if let Some(chosen) = self.table.handle_condition(now, serves) {
            self.follow(shard, &chosen);
        }
        let is_silent = self.table.chosen().is_some() && self.table.answering(now) == 0;
        if is_silent != self.silent_since.is_some() {
            self.silent_since = is_silent.then_some(());
            let name = &shard.settings().name;
            if is_silent {
                tracing::warn!(%name, "no Sentinel answers; the primary stays the one they named last");
            } else {
                tracing::info!(%name, "Sentinels answer again");
            }
        }
    }

    /// Makes the primary the server of the shard; the connection to the old one ends at once.
    fn follow(&mut self, shard: &Shard, chosen: &Chosen) {
        let (name, keys, at) = (self.name.clone(), shard.settings().keys.clone(), chosen.primary.to_string());
        tracing::info!(shard = %shard.settings().name, primary = %at, epoch = chosen.epoch, "the Sentinels name a primary");
        let before = shard.routes().servers.first().and_then(|server| server.states().borrow().facts.clone());
        let is_told = AtomicBool::new(false);
        let judged = move |facts: &Facts| {
            let verdict = judge_master(facts, &at, &name, &keys);
            if verdict == Verdict::Use {
                let is_other = before.as_ref().is_some_and(|before| !facts.continues(before));
                if is_other && !is_told.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        primary = %at,
                        "the new primary never copied the data of the old one: histories begin anew, or are those of \
                         another time; look whether the Sentinels name the right server"
                    );
                }
            }
            verdict.admits()
        };
        let admission = shard.admission(Arc::new(judged), "address");
        let link = shard.settings().link.clone();
        let server = Server::start(chosen.primary.clone(), link, true, admission, shard.context());
        self.fence.handle_switch();
        shard.set_routes(Routes::of_server(server));
        shard.set_fence(false);
        shard.set_mode(Mode::Standalone);
    }
}
