use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flywheel_model::Timestamp;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::Context;
use crate::explain::{Place, explain};
use crate::link::{Endpoint, Facts, Link, LinkError, LinkSettings, Role};
use crate::resp::{Command, Value};

/// Pauses between dials: short at first, since most faults are.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// How often a primary is asked whether it still is one.
const ROLE_INTERVAL: Duration = Duration::from_millis(500);

/// Whether a server with these facts may be used.
pub type Judge = dyn Fn(&Facts) -> Result<(), Rejected> + Send + Sync;

/// Why a server may not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// In an operator's words.
    pub reason: String,
    /// It will not change by itself.
    pub is_refusal: bool,
}

/// Which servers are used, and how to speak to an operator about them.
#[derive(Clone)]
pub struct Admission {
    /// Whether a server that was dialled may be used.
    pub judge: Arc<Judge>,
    /// Block of the configuration, such as `engine.redis`.
    pub keys: String,
    /// Name of the key in it that the address stands under.
    pub key: &'static str,
    /// Counts the connections that are used.
    pub connects: Arc<AtomicU64>,
}

impl Admission {
    pub(super) fn explain(&self, error: &LinkError, settings: &LinkSettings) -> String {
        let address = format!("{}.{}", self.keys, self.key);
        let place = Place {
            keys: &self.keys,
            address: &address,
            to_sentinel: self.key == "sentinel_address",
            encrypted: settings.tls.is_some(),
        };
        explain(error, place).to_string()
    }
}

/// One server and the task that keeps a connection to it: the only code that dials. The task ends when the last
/// [`Server`] is dropped.
///
/// The lock guards the connection; nothing is taken under it.
pub struct Server {
    endpoint: Endpoint,
    link: RwLock<Option<Link>>,
    state: watch::Sender<State>,
    doubt: Arc<Notify>,
}

/// What a server is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Counts connections, from 1 on.
    pub generation: u64,
    /// Whether there is one.
    pub is_up: bool,
    /// Why not, for an operator; empty when it is.
    pub reason: String,
    /// The last dial was answered, and the answer was no: nobody need wait for a connection.
    pub is_refused: bool,
    /// What it said when it was dialled last.
    pub facts: Option<Facts>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(link) = self.link.write().take() {
            link.close("it is used no more");
        }
    }
}

/// The task of a server, as much as it shares with it.
struct Supervisor {
    server: std::sync::Weak<Server>,
    doubt: Arc<Notify>,
    gone: watch::Receiver<State>,
    endpoint: Endpoint,
    settings: LinkSettings,
    admission: Admission,
    must_be_primary: bool,
    context: Context,
}

impl Server {
    /// Begins to keep a connection. With `must_be_primary` it is given up when the server says that it is none.
    pub fn start(
        endpoint: Endpoint,
        settings: LinkSettings,
        must_be_primary: bool,
        admission: Admission,
        context: &Context,
    ) -> Arc<Self> {
        let reason = format!("{endpoint} is being connected to");
        let (state, gone) =
            watch::channel(State { generation: 0, is_up: false, reason, is_refused: false, facts: None });
        let doubt = Arc::<Notify>::default();
        let server = Arc::new(Self {
            endpoint: endpoint.clone(),
            link: RwLock::default(),
            state,
            doubt: Arc::clone(&doubt),
        });
        let supervisor = Supervisor {
            server: Arc::downgrade(&server),
            doubt,
            gone,
            endpoint,
            settings,
            admission,
            must_be_primary,
            context: context.clone(),
        };
        context.tasks.spawn_background(supervisor.run());
        server
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection, if there is one.
    pub fn link(&self) -> Option<Link> {
        self.link.read().clone()
    }

    /// Waits for a connection until `deadline`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn wait_link(&self, deadline: Timestamp, context: &Context) -> Result<Link, String> {
        let mut states = self.state.subscribe();
        loop {
            if let Some(link) = self.link() {
                return Ok(link);
            }
            if !matches!(timeout(context.left(deadline), states.changed()).await, Ok(Ok(()))) {
                return Err(self.state.borrow().reason.clone());
            }
        }
    }

    /// What it is like now, and whenever that changes.
    pub fn states(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Something gave reason to doubt that it is what it was: looks at once.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Why nobody need wait for a connection, if so.
    pub fn refusal(&self) -> Option<String> {
        let state = self.state.borrow();
        state.is_refused.then(|| state.reason.clone())
    }

    fn set(&self, link: Option<Link>, reason: &str, is_refused: bool, facts: Option<Facts>) {
        let is_up = link.is_some();
        let old = std::mem::replace(&mut *self.link.write(), link);
        drop(old);
        self.state.send_if_modified(|state| {
            let is_news = state.is_up != is_up || state.reason != reason || state.is_refused != is_refused;
            state.is_refused = is_refused;
            state.generation += u64::from(is_up);
            state.is_up = is_up;
            reason.clone_into(&mut state.reason);
            if facts.is_some() {
                state.facts = facts;
            }
            is_news || is_up
        });
    }
}

impl Supervisor {
    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let mut gone = self.gone.clone();
            tokio::select! {
                lasted = self.keep() => pause = if lasted { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) },
                () = ended(&mut gone) => return,
            }
            let mut gone = self.gone.clone();
            tokio::select! {
                () = sleep(self.context.jittered(pause)) => {}
                () = ended(&mut gone) => return,
            }
        }
    }

    /// Dials and watches the connection to its end. Answers whether there was one.
    async fn keep(&mut self) -> bool {
        let Context { clock, random, tasks } = &self.context;
        let link = match Link::connect(&self.endpoint, &self.settings, clock, random, tasks).await {
            Ok(link) => link,
            Err(error) => {
                // Who takes a connection and ends it, or says nothing to an offer of TLS, may have a bad moment. Who has
                // never done anything else speaks another language.
                let is_mute = matches!(error, LinkError::TimedOut { step: "connecting", .. })
                    && self.settings.tls.is_some();
                let is_strange =
                    is_mute || matches!(error, LinkError::Tls { .. } | LinkError::NotRedis { .. });
                let is_refused = error.is_refusal() || (is_strange && self.gone.borrow().generation == 0);
                let reason = self.admission.explain(&error, &self.settings);
                self.set(None, &reason, is_refused, None);
                return false;
            }
        };
        let facts = link.facts().clone();
        if let Err(Rejected { reason, is_refusal }) = (self.admission.judge)(&facts) {
            link.close(reason.clone());
            self.set(None, &reason, is_refusal, Some(facts));
            return false;
        }
        self.admission.connects.fetch_add(1, Ordering::Relaxed);
        tracing::info!(server = %self.endpoint, version = %facts.version, "connected to Redis");
        self.set(Some(link.clone()), "", false, Some(facts));
        let reason = self.watch(&link).await;
        link.close(reason.clone());
        tracing::warn!(server = %self.endpoint, %reason, "connection to Redis ended");
        self.set(None, &reason, false, None);
        true
    }

    /// Returns why the connection is of no more use.
    async fn watch(&self, link: &Link) -> String {
        loop {
            tokio::select! {
                because = link.closed() => return format!("{}: {because}", self.endpoint),
                () = sleep(ROLE_INTERVAL), if self.must_be_primary => {}
                () = self.doubt.notified(), if self.must_be_primary => {}
            }
            if let Role::Replica { of } = self.role(link).await {
                return format!("{} is a replica of {of} now", self.endpoint);
            }
        }
    }

    /// What it says of itself; unknown when it does not in time, which the connection's own watch is for.
    async fn role(&self, link: &Link) -> Role {
        let deadline = self.context.now() + self.settings.silence_max;
        let mut facts = link.facts().clone();
        facts.role = Role::Unknown(String::new());
        match link.call(Command::new("ROLE"), deadline).await {
            Ok(answer) => return role(&answer),
            // An operator may have forbidden it.
            Err(error) if error.server().is_some() => {}
            Err(_) => return facts.role,
        }
        if let Ok(info) = link.call(Command::new("INFO replication"), deadline).await
            && let Some(text) = info.text()
        {
            facts.learn(text);
        }
        facts.role
    }

    fn set(&self, link: Option<Link>, reason: &str, is_refused: bool, facts: Option<Facts>) {
        if let Some(server) = self.server.upgrade() {
            server.set(link, reason, is_refused, facts);
        }
    }
}

/// Waits until the server was dropped.
async fn ended(gone: &mut watch::Receiver<State>) {
    while gone.changed().await.is_ok() {}
}

/// Reads the answer to `ROLE`.
fn role(answer: &Value) -> Role {
    let text = |index: usize| answer.items().get(index).and_then(Value::text).unwrap_or_default();
    match text(0) {
        "master" => Role::Primary,
        "slave" | "replica" => {
            let port = answer.items().get(2).and_then(Value::uint).and_then(|port| u16::try_from(port).ok());
            Role::Replica { of: Endpoint::tcp(text(1), port.unwrap_or_default()) }
        }
        other => Role::Unknown(other.to_owned()),
    }
}
