use std::sync::Arc;
use std::time::Duration;

use flywheel_model::Timestamp;
use flywheel_runtime::{Clock, Random, Tasks};
use tokio::time::timeout;

use super::lane::Lane;
use super::wire::Wire;
use super::{CallError, ClosedBecause, Endpoint, Facts, LinkError, LinkSettings, dial, greet};
use crate::resp::{Command, Value};

/// A connection that carries calls of many tasks at once. Cheap to clone; it ends when the last clone is dropped, or by
/// itself at the first doubt. It is never mended: whoever wants another one dials again.
///
/// What it promises:
/// - A call answers by its deadline, which covers waiting for a place, sending and the answer.
/// - An answer reaches its own caller or nobody. Heartbeats and [`Command::checked`] find out when answers are lost or
///   repeated; then the connection ends and every call that is under way fails.
/// - A server that owes an answer and is silent for [`LinkSettings::silence_max`] is given up.
/// - A call whose future is dropped leaves nothing behind; the answer is thrown away when it comes.
#[derive(Debug, Clone)]
pub struct Link(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lane: Arc<Lane>,
    facts: Facts,
    endpoint: Endpoint,
    clock: Clock,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.lane.close(ClosedBecause::ByUs("nobody uses it any more".into()));
    }
}

impl Link {
    /// Dials, looking the name up afresh, authenticates, and asks the server who it is, within
    /// [`LinkSettings::connect_timeout`].
    ///
    /// # Errors
    /// [`LinkError`] says in an operator's words what is wrong.
    pub async fn connect(
        endpoint: &Endpoint,
        settings: &LinkSettings,
        clock: &Clock,
        random: &Arc<Random>,
        tasks: &Tasks,
    ) -> Result<Self, LinkError> {
        let (socket, decoder, facts) = open(endpoint, settings).await?;
        let first_word = u32::try_from(random.next_u64() >> 32).unwrap_or_default();
        let lane = Arc::new(Lane::new(settings.calls_max, settings.bytes_max, first_word));
        let wire = Wire::new(socket, decoder, Arc::clone(&lane), settings, clock.clone(), Arc::clone(random));
        tasks.spawn(wire.run());
        Ok(Self(Arc::new(Inner { lane, facts, endpoint: endpoint.clone(), clock: clock.clone() })))
    }

    /// Sends `command` and waits for its answer until `deadline`, a moment of the link's clock.
    ///
    /// Cancel safe, in that the connection stays in order; whether the command was carried out is then unknown.
    ///
    /// # Errors
    /// [`CallError`] says whether the command may have been carried out. An error of the server is one too.
    pub async fn call(&self, command: Command, deadline: Timestamp) -> Result<Value, CallError> {
        self.exchange(command, deadline, false).await
    }

    /// The same after `ASKING`, for a slot that is on its way to this server.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_asking(&self, command: Command, deadline: Timestamp) -> Result<Value, CallError> {
        self.exchange(command, deadline, true).await
    }

    async fn exchange(
        &self,
        command: Command,
        deadline: Timestamp,
        asking: bool,
    ) -> Result<Value, CallError> {
        let lane = &self.0.lane;
        let cost = lane.cost(&command);
        let permit = match lane.places.try_acquire_many(cost) {
            Ok(permit) => permit,
            Err(_) => match timeout(self.time_until(deadline), lane.places.acquire_many(cost)).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) => return Err(CallError::NotSent(self.reason())),
                Err(_) => return Err(CallError::NoPlace),
            },
        };
        let left = self.time_until(deadline);
        if left.is_zero() {
            return Err(CallError::NoPlace);
        }
        permit.forget();
        let answer = lane.push(command, cost, asking).map_err(CallError::NotSent)?;
        match timeout(left, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Lost(self.reason())),
            Err(_) => Err(CallError::TimedOut),
        }
    }

    /// What the server said about itself when it was dialled.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Where the server listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The clock that deadlines are measured with.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ends the connection now. Calls that are under way fail, whatever the connection's task is doing.
    pub fn close(&self, why: impl Into<String>) {
        self.0.lane.close(ClosedBecause::ByUs(why.into()));
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.0.lane.closed_because().is_some()
    }

    /// Why it has ended; `None` while it has not.
    pub fn closed_reason(&self) -> Option<ClosedBecause> {
        self.0.lane.closed_because()
    }

    /// Waits until it has ended.
    pub async fn closed(&self) -> ClosedBecause {
        let mut closed = self.0.lane.closed();
        let ended = closed.wait_for(Option::is_some).await;
        ended.ok().and_then(|reason| reason.clone()).unwrap_or_else(|| self.reason())
    }

    /// Whether both are the same connection.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Calls that are waiting or under way, heartbeats included.
    pub fn in_flight(&self) -> usize {
        self.0.lane.in_flight()
    }

    /// Room that these calls take, in bytes: no less for each than its share of [`LinkSettings::bytes_max`].
    pub fn held(&self) -> usize {
        self.0.lane.held()
    }

    fn time_until(&self, deadline: Timestamp) -> Duration {
        deadline.since(self.0.clock.now().at)
    }

    fn reason(&self) -> ClosedBecause {
        self.0.lane.closed_because().unwrap_or(ClosedBecause::ByServer)
    }
}

/// Dials and greets within the time for both.
pub(crate) async fn open(
    endpoint: &Endpoint,
    settings: &LinkSettings,
) -> Result<(super::Socket, crate::resp::Decoder, Facts), LinkError> {
    let mut step = "connecting";
    let opening = async {
        let mut socket = dial(endpoint, settings.tls.as_ref(), settings.connect_timeout).await?;
        let (decoder, facts) = greet(&mut socket, endpoint, settings, &mut step).await?;
        Ok((socket, decoder, facts))
    };
    match timeout(settings.connect_timeout, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(LinkError::TimedOut {
            endpoint: endpoint.clone(),
            millis: u64::try_from(settings.connect_timeout.as_millis()).unwrap_or(u64::MAX),
            step,
        }),
    }
}
