use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flywheel_model::{Channel, ChannelEvent, ClientInfo, Publication};
use flywheel_stream::{History, HistoryQuery};
use parking_lot::Mutex;

use crate::{
    Answer, Broker, EngineError, MemoryEngine, Presence, PresenceStats, PublishOptions, Published, Sink,
};

/// What is asked of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the calls")]
pub enum Call {
    Publish,
    PublishJoin,
    PublishLeave,
    Subscribe,
    Unsubscribe,
    History,
    RemoveHistory,
    AddPresence,
    RemovePresence,
    Clients,
    Stats,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// It is answered at once.
    #[default]
    None,
    /// It is done and answered when [`release`](FaultyEngine::release) is called, or never.
    Hold,
    /// It fails at once.
    Fail,
}

/// The memory engine behind a bad network: for tests of whoever stands on an engine.
pub struct FaultyEngine {
    engine: Arc<MemoryEngine>,
    fault: Mutex<Box<dyn Fn(Call) -> Fault + Send>>,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Default)]
struct Gate {
    released: u64,
    waiting: Vec<Waker>,
}

/// Resolves when the gate is opened after its making.
struct Held {
    gate: Arc<Mutex<Gate>>,
    since: u64,
}

impl Future for Held {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut gate = self.gate.lock();
        if gate.released > self.since {
            return Poll::Ready(());
        }
        gate.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

impl FaultyEngine {
    /// As good as the engine, until it is told otherwise.
    pub fn new(engine: Arc<MemoryEngine>) -> Self {
        Self { engine, fault: Mutex::new(Box::new(|_| Fault::None)), gate: Arc::default() }
    }

    /// From now on calls get what `fault` says.
    pub fn set(&self, fault: impl Fn(Call) -> Fault + Send + 'static) {
        *self.fault.lock() = Box::new(fault);
    }

    /// Lets every call go on that is held.
    pub fn release(&self) {
        let waiting = {
            let mut gate = self.gate.lock();
            gate.released += 1;
            std::mem::take(&mut gate.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn call<T: Send + 'static>(
        &self,
        call: Call,
        work: impl FnOnce(&MemoryEngine) -> Answer<Result<T, EngineError>> + Send + 'static,
    ) -> Answer<Result<T, EngineError>> {
        let fault = (self.fault.lock())(call);
        match fault {
            Fault::None => work(&self.engine),
            Fault::Fail => Answer::Now(Err(EngineError::Unavailable(format!("{call:?} is to fail")))),
            Fault::Hold => {
                let since = self.gate.lock().released;
                let (gate, engine) = (Arc::clone(&self.gate), Arc::clone(&self.engine));
                Answer::later(async move {
                    Held { gate, since }.await;
                    work(&engine).wait().await
                })
            }
        }
    }
}

impl Broker for FaultyEngine {
    fn publish(
        &self,
        channel: &Channel,
        publication: Publication,
        options: PublishOptions,
    ) -> Answer<Result<Published, EngineError>> {
        let channel = channel.clone();
        self.call(Call::Publish, move |engine| engine.publish(&channel, publication, options))
    }

    fn publish_join(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::PublishJoin, move |engine| engine.publish_join(&channel, info))
    }

    fn publish_leave(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::PublishLeave, move |engine| engine.publish_leave(&channel, info))
    }

    fn subscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::Subscribe, move |engine| engine.subscribe(&channel))
    }

    fn unsubscribe(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::Unsubscribe, move |engine| engine.unsubscribe(&channel))
    }

    fn history(
        &self,
        channel: &Channel,
        query: HistoryQuery,
        meta_ttl: Duration,
    ) -> Answer<Result<History, EngineError>> {
        let channel = channel.clone();
        self.call(Call::History, move |engine| engine.history(&channel, query, meta_ttl))
    }

    fn remove_history(&self, channel: &Channel) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::RemoveHistory, move |engine| engine.remove_history(&channel))
    }
}

impl Presence for FaultyEngine {
    fn add(&self, channel: &Channel, info: ClientInfo) -> Answer<Result<(), EngineError>> {
        let channel = channel.clone();
        self.call(Call::AddPresence, move |engine| engine.add(&channel, info))
    }

    fn remove(&self, channel: &Channel, client: &str) -> Answer<Result<(), EngineError>> {
        let (channel, client) = (channel.clone(), client.to_owned());
        self.call(Call::RemovePresence, move |engine| engine.remove(&channel, &client))
    }

    fn clients(&self, channel: &Channel) -> Answer<Result<Vec<Arc<ClientInfo>>, EngineError>> {
        let channel = channel.clone();
        self.call(Call::Clients, move |engine| engine.clients(&channel))
    }

    fn stats(&self, channel: &Channel) -> Answer<Result<PresenceStats, EngineError>> {
        let channel = channel.clone();
        self.call(Call::Stats, move |engine| engine.stats(&channel))
    }
}

/// A sink that loses every so many events on the way to another, without telling anybody.
pub struct LossySink {
    sink: Arc<dyn Sink>,
    /// 0 loses nothing.
    every: AtomicU64,
    count: AtomicU64,
}

impl LossySink {
    /// Loses nothing yet.
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, every: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    /// From now on one event in `every` is lost; 0 loses none.
    pub fn lose_one_in(&self, every: u64) {
        self.every.store(every, Ordering::Relaxed);
    }
}

impl Sink for LossySink {
    fn deliver(&self, event: ChannelEvent) {
        let every = self.every.load(Ordering::Relaxed);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if every == 0 || !count.is_multiple_of(every) {
            self.sink.deliver(event);
        }
    }

    fn gap(&self, channel: &Channel) {
        self.sink.gap(channel);
    }

    fn has_subscribers(&self, channel: &Channel) -> bool {
        self.sink.has_subscribers(channel)
    }
}
