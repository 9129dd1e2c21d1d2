use std::collections::BTreeMap;
use std::sync::Arc;

use flywheel_auth::{KeyRequest, KeySet, PublicKey};
use flywheel_engine::{Answer, KeySetError, KeySets};
use flywheel_model::Timestamp;
use flywheel_runtime::{Clock, Tasks};
use http::Uri;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};
use tokio_rustls::TlsConnector;

use crate::fetch::{FetchError, fetch};
use crate::shelf::{Shelf, Step};
use crate::{Limits, Roots};

/// Reads key sets over HTTP and HTTPS, each when it is first needed, and keeps them. Cheap to clone; clones share.
#[derive(Clone)]
pub struct HttpKeySets(Arc<Inner>);

struct Inner {
    clock: Clock,
    tasks: Tasks,
    limits: Limits,
    roots: Roots,
    tls: OnceCell<TlsConnector>,
    /// By address. Guards nothing else; held for look-ups, never across an await.
    shelves: Mutex<BTreeMap<String, Shelf>>,
}

impl HttpKeySets {
    /// Knows no key yet. Sets are read on `tasks`.
    pub fn new(clock: Clock, tasks: Tasks, limits: Limits, roots: Roots) -> Self {
        let (tls, shelves) = (OnceCell::new(), Mutex::default());
        Self(Arc::new(Inner { clock, tasks, limits, roots, tls, shelves }))
    }
}

impl KeySets for HttpKeySets {
    fn key(&self, request: &KeyRequest) -> Answer<Result<Arc<PublicKey>, KeySetError>> {
        let mut ended = match self.0.step(request, false) {
            Ok(answer) => return Answer::Now(answer),
            Err(ended) => ended,
        };
        let (inner, request) = (Arc::clone(&self.0), request.clone());
        Answer::later(async move {
            // Nothing is ever sent: an error is the end of the read.
            while ended.changed().await.is_ok() {}
            inner.step(&request, true).unwrap_or(Err(KeySetError::TooSoon))
        })
    }
}

impl std::fmt::Debug for HttpKeySets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpKeySets").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Inner {
    /// The answer, or the end of the read to wait for.
    fn step(
        self: &Arc<Self>,
        request: &KeyRequest,
        waited: bool,
    ) -> Result<Result<Arc<PublicKey>, KeySetError>, watch::Receiver<()>> {
        let now = self.clock.now().at;
        let mut shelves = self.shelves.lock();
        if !shelves.contains_key(request.url()) {
            make_room(&mut shelves, self.limits.urls_max);
        }
        let shelf = shelves.entry(request.url().to_owned()).or_default();
        shelf.used_at = now;
        match shelf.step(now, request, waited, &self.limits) {
            Step::Answer(answer) => Ok(answer),
            Step::AnswerAndRead(key) => {
                self.read(shelf, request.url());
                Ok(Ok(key))
            }
            Step::Wait(ended) => Err(ended),
            Step::Read => Err(self.read(shelf, request.url())),
        }
    }

    /// Begins to read the set. The read does not end with those who wait for it.
    fn read(self: &Arc<Self>, shelf: &mut Shelf, url: &str) -> watch::Receiver<()> {
        let (end, ended) = watch::channel(());
        shelf.begin(ended.clone());
        let (inner, url) = (Arc::clone(self), url.to_owned());
        self.tasks.spawn(async move {
            let result = inner.document(&url).await;
            match &result {
                Ok(set) => tracing::debug!(url, keys = set.len(), "key set read"),
                Err(problem) => tracing::warn!(url, problem, "cannot read a key set"),
            }
            let now = inner.clock.now().at;
            if let Some(shelf) = inner.shelves.lock().get_mut(&url) {
                shelf.end(now, result);
            }
            // Whoever waits looks at the shelf again now, and not before.
            drop(end);
        });
        ended
    }

    async fn document(&self, url: &str) -> Result<KeySet, String> {
        let uri: Uri = url.parse().map_err(|_| FetchError::Address.to_string())?;
        let reading = fetch(&uri, KeySet::BYTES_MAX, async || self.connector().await);
        let document = tokio::time::timeout(self.limits.deadline, reading).await;
        let document = document.map_err(|_| "it did not answer in time".to_owned())?;
        let document = document.map_err(|error| error.to_string())?;
        KeySet::parse(&document).map_err(|problem| problem.to_string())
    }

    async fn connector(&self) -> Result<TlsConnector, FetchError> {
        let roots = self.roots.clone();
        let make = async || {
            let made = tokio::task::spawn_blocking(move || roots.connector()).await;
            made.unwrap_or_else(|error| Err(FetchError::Tls(error.to_string())))
        };
        self.tls.get_or_try_init(make).await.cloned()
    }
}

/// Forgets the set that was used longest ago if there is no room for one more.
fn make_room(shelves: &mut BTreeMap<String, Shelf>, urls_max: usize) {
    if shelves.len() < urls_max {
        return;
    }
    let oldest: Option<(Timestamp, String)> =
        shelves.iter().map(|(url, shelf)| (shelf.used_at, url.clone())).min();
    if let Some((_, url)) = oldest {
        shelves.remove(&url);
    }
}
