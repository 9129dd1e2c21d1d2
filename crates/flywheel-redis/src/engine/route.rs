use std::future::Future;
use std::pin::Pin;

use flywheel_model::Timestamp;
use tokio::sync::watch;

use crate::keys::Layout;
use crate::link::{CallError, Endpoint};
use crate::resp::{Command, Value};
use flywheel_metrics::RedisReading;

/// What has to be known of a call to carry it to the right server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Slot of all its keys; does not matter where there is no cluster.
    pub slot: u16,
    /// When the caller gives up.
    pub deadline: Timestamp,
    /// Whether it changes anything.
    pub writes: bool,
    /// Whether it does no harm to carry it out twice.
    pub is_repeatable: bool,
}

/// An answer on its way.
pub type Called<'c> = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send + 'c>>;

/// Knows the servers of one place, whatever its shape is, and which of them a call is for.
///
/// A call answers by its deadline. It is made again, with a command that is made anew, only when it was certainly not
/// carried out or may be carried out twice.
pub trait Router: Send + Sync + 'static {
    /// Makes a call.
    fn call<'c>(&'c self, call: Call, make: &'c (dyn Fn() -> Command + Send + Sync)) -> Called<'c>;

    /// How keys are to be named; `None` until a server has said what it is. Never changes afterwards.
    fn layout(&self) -> watch::Receiver<Option<Layout>>;

    /// The server on which everything that is published is heard, or all that is published in one slot; `None` while none is
    /// known.
    fn ear(&self, slot: Option<u16>) -> watch::Receiver<Option<Endpoint>>;

    /// Counts changes of what [`owner`](Self::owner) answers, and more.
    fn changes(&self) -> watch::Receiver<u64>;

    /// The server that is asked about a slot; `None` while none is known.
    fn owner(&self, slot: u16) -> Option<Endpoint>;

    /// Every server that is written to, with a text between braces that puts a key there.
    fn writable(&self) -> Vec<(Endpoint, String)>;

    /// Something gave reason to doubt what is known of the servers: looks at once.
    fn look(&self);

    /// Why there is nobody to call, in an operator's words; empty when there is.
    fn reason(&self) -> String;

    /// The same when it is of no use to wait: a setting has to be changed first, here or there. Whenever this comes true,
    /// [`changes`](Self::changes) grows.
    fn refusal(&self) -> Option<String>;

    /// What was counted of the servers and of calls to them; the rest is left as it is.
    fn read(&self, reading: &mut RedisReading);
}
