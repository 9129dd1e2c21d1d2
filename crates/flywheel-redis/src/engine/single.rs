use std::sync::Arc;
use std::time::Duration;

use flywheel_model::Timestamp;
use flywheel_runtime::{Clock, Random, Tasks};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::route::{Call, Called, Router};
use crate::keys::Layout;
use crate::link::{CallError, ClosedBecause, Endpoint, ErrorWord, Facts, Link, LinkSettings, Mode, Role};
use crate::resp::{Command, Value};

/// Pause between two dials, of which the most is left to chance.
const PAUSE_MIN: u64 = 50;
const PAUSE_SPREAD: u64 = 200;
/// How often a server is asked whether it may still be written to.
const ROLE_INTERVAL: Duration = Duration::from_millis(500);
/// Pause before a call is made again.
const AGAIN: Duration = Duration::from_millis(20);

/// One server that stands for itself, and the task that keeps a connection to it.
#[derive(Debug)]
pub struct Single {
    up: watch::Receiver<Result<Link, String>>,
    layout: watch::Receiver<Option<Layout>>,
    ear: watch::Receiver<Option<Endpoint>>,
    clock: Clock,
    /// Ends the task when dropped.
    _alive: watch::Sender<()>,
}

struct Keeper {
    endpoint: Endpoint,
    settings: LinkSettings,
    up: watch::Sender<Result<Link, String>>,
    layout: watch::Sender<Option<Layout>>,
    ear: watch::Sender<Option<Endpoint>>,
    clock: Clock,
    random: Arc<Random>,
    tasks: Tasks,
}

impl Single {
    /// Begins to keep a connection.
    pub fn start(
        endpoint: Endpoint,
        settings: LinkSettings,
        clock: &Clock,
        random: &Arc<Random>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let (up, is_up) = watch::channel(Err(format!("{endpoint} is being connected to")));
        let (layout, layouts) = watch::channel(None);
        let (ear, ears) = watch::channel(None);
        let (alive, gone) = watch::channel(());
        let keeper = Keeper {
            endpoint,
            settings,
            up,
            layout,
            ear,
            clock: clock.clone(),
            random: Arc::clone(random),
            tasks: tasks.clone(),
        };
        tasks.spawn_background(keeper.run(gone));
        Arc::new(Self { up: is_up, layout: layouts, ear: ears, clock: clock.clone(), _alive: alive })
    }

    async fn link(&self, deadline: Timestamp) -> Result<Link, CallError> {
        if let Ok(link) = &*self.up.borrow()
            && !link.is_closed()
        {
            return Ok(link.clone());
        }
        let mut up = self.up.clone();
        let is_usable = |up: &Result<Link, String>| up.as_ref().is_ok_and(|link| !link.is_closed());
        let found = timeout(deadline.since(self.clock.now().at), up.wait_for(is_usable)).await;
        let link = found.ok().and_then(Result::ok).and_then(|up| up.as_ref().ok().cloned());
        link.ok_or_else(|| CallError::NotSent(ClosedBecause::ByUs(self.reason())))
    }

    async fn carry(
        &self,
        call: Call,
        make: &(dyn Fn() -> Command + Send + Sync),
    ) -> Result<Value, CallError> {
        let mut last = None;
        loop {
            let link = match self.link(call.deadline).await {
                Ok(link) => link,
                Err(error) => return Err(last.unwrap_or(error)),
            };
            let error = match link.call(make(), call.deadline).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let is_lost = matches!(error, CallError::Lost(_));
            let word = error.server().map(|error| error.word);
            // The caller knows the script; and nobody else is there to be asked.
            let is_final = matches!(word, Some(ErrorWord::NoScript | ErrorWord::Moved | ErrorWord::Ask));
            if is_final || !(error.is_retryable() || (is_lost && call.is_repeatable)) {
                return Err(error);
            }
            if word == Some(ErrorWord::ReadOnly) {
                link.close("it does not take writes");
            }
            if call.deadline.since(self.clock.now().at) <= AGAIN {
                return Err(error);
            }
            last = Some(error);
            sleep(AGAIN).await;
        }
    }
}

impl Router for Single {
    fn call<'c>(&'c self, call: Call, make: &'c (dyn Fn() -> Command + Send + Sync)) -> Called<'c> {
        Box::pin(self.carry(call, make))
    }

    fn layout(&self) -> watch::Receiver<Option<Layout>> {
        self.layout.clone()
    }

    fn ear(&self) -> watch::Receiver<Option<Endpoint>> {
        self.ear.clone()
    }

    fn reason(&self) -> String {
        match &*self.up.borrow() {
            Ok(link) => link
                .closed_reason()
                .map_or_else(String::new, |reason| format!("{}: {reason}", link.endpoint())),
            Err(reason) => reason.clone(),
        }
    }
}

/// Also when its task is ended from outside.
impl Drop for Keeper {
    fn drop(&mut self) {
        if let Ok(link) = &*self.up.borrow() {
            link.close("stopping");
        }
    }
}

impl Keeper {
    async fn run(self, mut gone: watch::Receiver<()>) {
        tokio::select! {
            () = self.keep() => {}
            _ = gone.changed() => {}
        }
    }

    async fn keep(&self) {
        loop {
            let reason = match self.connect().await {
                Ok(link) => {
                    let facts = link.facts();
                    tracing::info!(server = %self.endpoint, version = %facts.version, "connected to Redis");
                    self.layout.send_replace(Some(Layout::Plain));
                    self.ear.send_if_modified(|ear| ear.replace(self.endpoint.clone()).is_none());
                    drop(self.up.send_replace(Ok(link.clone())));
                    let reason = self.watch(&link).await;
                    link.close(reason.clone());
                    tracing::warn!(server = %self.endpoint, %reason, "connection to Redis ended");
                    reason
                }
                Err(reason) => reason,
            };
            drop(self.up.send_replace(Err(reason)));
            sleep(Duration::from_millis(PAUSE_MIN + self.random.next_u64() % PAUSE_SPREAD)).await;
        }
    }

    async fn connect(&self) -> Result<Link, String> {
        let dialled =
            Link::connect(&self.endpoint, &self.settings, &self.clock, &self.random, &self.tasks).await;
        let link = dialled.map_err(|error| error.to_string())?;
        match usable(&self.endpoint, link.facts()) {
            Ok(()) => Ok(link),
            Err(reason) => Err(reason),
        }
    }

    /// Returns why the connection is of no more use.
    async fn watch(&self, link: &Link) -> String {
        loop {
            tokio::select! {
                reason = link.closed() => return format!("{}: {reason}", self.endpoint),
                () = sleep(ROLE_INTERVAL) => {}
            }
            let deadline = self.clock.now().at + self.settings.silence_max;
            // Who may not be asked is found out by writing.
            if let Ok(info) = link.call(Command::new("INFO replication"), deadline).await
                && let Some(text) = info.text()
            {
                let mut facts = link.facts().clone();
                facts.learn(text);
                if let Err(reason) = usable(&self.endpoint, &facts) {
                    return reason;
                }
            }
        }
    }
}

fn usable(endpoint: &Endpoint, facts: &Facts) -> Result<(), String> {
    match (facts.mode, &facts.role) {
        (Mode::Sentinel, _) => Err(format!("{endpoint} is a Sentinel, which keeps no data")),
        (Mode::Cluster, _) => Err(format!("{endpoint} is a node of a cluster")),
        (_, Role::Replica { of }) => Err(format!("{endpoint} is a read-only replica of {of}")),
        _ => Ok(()),
    }
}
