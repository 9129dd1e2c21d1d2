use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use flywheel_model::Timestamp;

use super::cluster::Members;
use super::counts::Counts;
use super::ears::Ears;
use super::{Admission, Context, Doubt, Judge, Retry, Routes, Seeds, Server, ShardSettings, retry};
use crate::engine::Call;
use crate::keys::Layout;
use crate::link::{CallError, ClosedBecause, Endpoint, Link, Mode, Redirect};
use crate::resp::{Command, Value};

/// One shard: finds the servers that its calls are for, whatever becomes of them.
///
/// Locks: `routes` guards a pointer, `members` what is known of a cluster; `routes` may be taken under `members`.
pub struct Shard {
    me: Weak<Self>,
    settings: ShardSettings,
    context: Context,
    routes: RwLock<Arc<Routes>>,
    changes: watch::Sender<u64>,
    layout: watch::Sender<Option<Layout>>,
    ears: Ears,
    /// Why it can never serve as it is configured.
    refusal: RwLock<Option<String>>,
    is_fenced: AtomicBool,
    pub(super) counts: Counts,
    fence: watch::Sender<bool>,
    pub(super) members: Mutex<Members>,
    /// Something gave reason to ask who the primary is, or who owns what.
    pub(super) refresh: Notify,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl Shard {
    /// Begins to look for its servers. Its tasks end when it is dropped.
    pub fn start(settings: ShardSettings, context: &Context) -> Arc<Self> {
        let shard = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            context: context.clone(),
            routes: RwLock::default(),
            changes: watch::Sender::new(0),
            layout: watch::Sender::new(None),
            ears: Ears::default(),
            refusal: RwLock::default(),
            is_fenced: AtomicBool::new(false),
            counts: Counts::default(),
            fence: watch::Sender::new(false),
            members: Mutex::default(),
            refresh: Notify::new(),
            settings: settings.clone(),
        });
        let weak = Arc::downgrade(&shard);
        match settings.seeds {
            Seeds::Server(endpoint) => {
                context.tasks.spawn_background(super::server_drive::run(weak, endpoint));
            }
            Seeds::Cluster(seeds) => {
                context.tasks.spawn_background(super::cluster::run(weak, seeds));
            }
            Seeds::Sentinel { sentinels, name, settings } => {
                context.tasks.spawn_background(super::sentinel::run(weak, sentinels, name, *settings));
            }
        }
        shard
    }

    /// What it was started with.
    pub fn settings(&self) -> &ShardSettings {
        &self.settings
    }

    /// Clock, chance and tasks.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// How keys are named, which is decided by what the servers are; `None` while none has said it. Never changes again.
    pub(super) fn layouts(&self) -> watch::Receiver<Option<Layout>> {
        self.layout.subscribe()
    }

    /// Where to hear what is published: in one slot, or everywhere.
    pub fn ear_of(&self, slot: Option<u16>) -> watch::Receiver<Option<Endpoint>> {
        self.ears.ask(slot, || self.routes(), self.context.random.next_u64())
    }

    /// Looks anew where to hear.
    pub(super) fn place_ears(&self) {
        self.ears.handle_routes(|| self.routes(), self.context.random.next_u64());
    }

    /// Which server is asked about what, now.
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read())
    }

    /// Counts changes of [`routes`](Self::routes).
    pub(super) fn route_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Calls a server, and others in its place while there is reason to and time.
    ///
    /// `make` makes the command, and does so again for every further attempt.
    ///
    /// # Errors
    /// What the last attempt failed with. [`CallError::NotSent`] says why there was no server.
    pub(super) async fn carry(
        &self,
        route: Call,
        make: &(dyn Fn() -> Command + Send + Sync),
    ) -> Result<Value, CallError> {
        let mut redirect: Option<Redirect> = None;
        let mut last = None;
        loop {
            if route.writes
                && self.is_fenced.load(Ordering::Acquire)
                && !self.wait_fence(route.deadline).await
            {
                return Err(
                    last.unwrap_or_else(|| not_sent("another server is being made the primary".into()))
                );
            }
            let is_asking = redirect.as_ref().is_some_and(|redirect| redirect.ask);
            let (server, link) = match self.link_for(redirect.take(), route).await {
                Ok(found) => found,
                Err(error) => return Err(last.unwrap_or(error)),
            };
            let answer = if is_asking {
                link.call_asking(make(), route.deadline).await
            } else {
                link.call(make(), route.deadline).await
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match retry(&error, route.is_repeatable) {
                Retry::Follow(to) => {
                    redirect = Some(self.redirected(to, &server));
                    if self.context.left(route.deadline).is_zero() {
                        return Err(error);
                    }
                }
                Retry::Again(doubt) => {
                    self.doubt(doubt, &server);
                    let pause = pause_after(doubt);
                    if self.context.left(route.deadline) <= pause {
                        return Err(error);
                    }
                    last = Some(error);
                    sleep(pause).await;
                }
                Retry::Never(doubt) => {
                    self.doubt(doubt, &server);
                    // What it said before tells more than its silence, where it is all the same whether this was done.
                    let is_told = route.is_repeatable && error == CallError::TimedOut;
                    return Err(last.filter(|_| is_told).unwrap_or(error));
                }
            }
        }
    }

    /// The server to ask, and a connection to it, waited for until the deadline.
    async fn link_for(
        &self,
        redirect: Option<Redirect>,
        route: Call,
    ) -> Result<(Arc<Server>, Link), CallError> {
        // Nearly always there is one, and no change to wait for.
        if redirect.is_none()
            && let Some(found) = self.link_now(route.slot)
        {
            return Ok(found);
        }
        let mut changes = self.changes.subscribe();
        let mut states = None;
        loop {
            if let Some(refusal) = self.refusal() {
                return Err(not_sent(refusal));
            }
            let server = match &redirect {
                Some(redirect) => super::cluster::server_at(self, &redirect.to),
                None => self.routes.read().server_of(route.slot).cloned(),
            };
            if let Some(server) = server {
                if let Some(link) = server.link() {
                    return Ok((server, link));
                }
                if let Some(refusal) = server.refusal() {
                    return Err(not_sent(refusal));
                }
                // Subscribed before the second look, so that no change is missed.
                if states.is_none() {
                    states = Some(server.states());
                    continue;
                }
            }
            let left = self.context.left(route.deadline);
            let changed = async {
                match &mut states {
                    None => drop(changes.changed().await),
                    Some(states) => {
                        tokio::select! { _ = changes.changed() => {}, _ = states.changed() => {} }
                    }
                }
            };
            if left.is_zero() || timeout(left, changed).await.is_err() {
                return Err(self.no_server());
            }
            states = None;
        }
    }

    fn link_now(&self, slot: u16) -> Option<(Arc<Server>, Link)> {
        let server = self.routes.read().server_of(slot).cloned()?;
        let link = server.link()?;
        Some((server, link))
    }

    /// Takes in that a node named another one; answers whom to ask.
    fn redirected(&self, mut to: Redirect, from: &Server) -> Redirect {
        if to.to.host() == Some("")
            && let (Some(host), Endpoint::Tcp { port, .. }) = (from.endpoint().host(), &to.to)
        {
            to.to = Endpoint::tcp(host, *port);
        }
        if !to.ask {
            super::cluster::moved(self, &to);
        }
        to
    }

    /// Takes in what a failure gives reason to doubt.
    pub(super) fn doubt(&self, doubt: Doubt, server: &Server) {
        match doubt {
            Doubt::Nothing => {}
            Doubt::Role => {
                server.doubt();
                self.refresh.notify_one();
            }
            Doubt::Owner | Doubt::Link => self.refresh.notify_one(),
        }
    }

    /// Waits until writes may go on; false when the deadline comes first.
    async fn wait_fence(&self, deadline: Timestamp) -> bool {
        Counts::add(&self.counts.fenced);
        let mut fence = self.fence.subscribe();
        timeout(self.context.left(deadline), fence.wait_for(|held| !held)).await.is_ok()
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn set_fence(&self, held: bool) {
        self.is_fenced.store(held, Ordering::Release);
        if self.fence.send_replace(held) != held {
            let name = &self.settings.name;
            if held {
                tracing::info!(%name, "writes wait: another server is being made the primary");
            } else {
                tracing::info!(%name, "writes go on");
            }
        }
    }

    /// Which of its servers are used.
    pub(super) fn admission(&self, judge: Arc<Judge>, key: &'static str) -> Admission {
        let (keys, connects) = (self.settings.keys.clone(), Arc::clone(&self.counts.connects));
        Admission { judge, keys, key, connects }
    }

    pub(super) fn set_routes(&self, routes: Routes) {
        let old = self.routes();
        self.counts.handle_routes(&old, &routes);
        *self.routes.write() = Arc::new(routes);
        self.touch();
        self.place_ears();
    }

    /// Remembers what kind of servers they are. Answers whether that is what they were from the beginning.
    pub(super) fn set_mode(&self, mode: Mode) -> bool {
        let layout = match (mode, self.settings.partitions) {
            (Mode::Cluster, 0) => Layout::Cluster,
            (Mode::Cluster, partitions) => Layout::Partitioned(partitions),
            _ => Layout::Plain,
        };
        self.layout.send_if_modified(|known| {
            let is_news = known.is_none();
            known.get_or_insert(layout);
            is_news
        });
        *self.layout.borrow() == Some(layout)
    }

    pub(super) fn set_refusal(&self, reason: Option<String>) {
        let mut refusal = self.refusal.write();
        if *refusal == reason {
            return;
        }
        if let Some(reason) = &reason {
            tracing::error!(name = %self.settings.name, %reason, "this Redis cannot be used as it is configured");
        }
        *refusal = reason;
        drop(refusal);
        self.touch();
    }

    /// Wakes whoever waits for a server.
    pub(super) fn touch(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Why nobody need wait for a server, if so: what there is was asked, and said no, so that a setting has to be changed
    /// here or there. Ends with the first dial that is answered otherwise.
    pub(super) fn refusal(&self) -> Option<String> {
        if let Some(refusal) = &*self.refusal.read() {
            return Some(refusal.clone());
        }
        let routes = self.routes();
        if routes.servers.is_empty() {
            return self.members.lock().refusal();
        }
        let mut first = None;
        for server in &routes.servers {
            let refusal = server.refusal()?;
            first.get_or_insert(refusal);
        }
        first
    }

    /// Why there is nobody to ask, in an operator's words.
    pub(super) fn why_not(&self) -> String {
        if let Some(refusal) = &*self.refusal.read() {
            return refusal.clone();
        }
        let routes = self.routes();
        let down = routes.writable().find_map(|server| {
            let state = server.states();
            let state = state.borrow();
            (!state.is_up).then(|| state.reason.clone())
        });
        match (down, routes.map()) {
            (Some(reason), _) => reason,
            (None, Some(map)) if map.open_slots() > 0 => {
                format!("{} of {} slots of the cluster have no owner", map.open_slots(), crate::keys::SLOTS)
            }
            _ if routes.servers.is_empty() => {
                let seed = self.members.lock().reason();
                seed.unwrap_or_else(|| "no server is known yet".to_owned())
            }
            _ => String::new(),
        }
    }

    fn no_server(&self) -> CallError {
        not_sent(self.why_not())
    }
}

fn not_sent(reason: String) -> CallError {
    CallError::NotSent(ClosedBecause::ByUs(reason))
}

/// How long to wait before another attempt.
fn pause_after(doubt: Doubt) -> Duration {
    Duration::from_millis(match doubt {
        Doubt::Link => 5,
        Doubt::Role | Doubt::Owner => 20,
        Doubt::Nothing => 40,
    })
}

/// The shard, unless it was dropped.
pub(super) fn alive(shard: &Weak<Shard>) -> Option<Arc<Shard>> {
    shard.upgrade()
}
