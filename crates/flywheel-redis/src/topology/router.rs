use std::time::Duration;

use flywheel_metrics::RedisReading;
use tokio::sync::watch;

use super::Shard;
use super::counts::Counts;
use crate::engine::{Call, Called, Router};
use crate::keys::Layout;
use crate::link::{CallError, Endpoint};
use crate::resp::Command;

/// Before the end of a call nothing is begun any more.
const LAST_MOMENT: Duration = Duration::from_millis(40);

impl Router for Shard {
    fn call<'c>(&'c self, call: Call, make: &'c (dyn Fn() -> Command + Send + Sync)) -> Called<'c> {
        Box::pin(async move {
            let answer = self.carry(call, make).await;
            // What would be tried again if there were time for it is given up a little before the deadline.
            let is_late = || self.context().left(call.deadline) <= LAST_MOMENT;
            if let Err(error) = &answer
                && (matches!(error, CallError::TimedOut | CallError::NoPlace) || is_late())
            {
                Counts::add(&self.counts.deadlines);
            }
            answer
        })
    }

    fn layout(&self) -> watch::Receiver<Option<Layout>> {
        self.layouts()
    }

    fn ear(&self, slot: Option<u16>) -> watch::Receiver<Option<Endpoint>> {
        self.ear_of(slot)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.route_changes()
    }

    fn owner(&self, slot: u16) -> Option<Endpoint> {
        self.routes().server_of(slot).map(|server| server.endpoint().clone())
    }

    fn writable(&self) -> Vec<(Endpoint, String)> {
        self.routes().spreads().to_vec()
    }

    fn look(&self) {
        self.refresh.notify_one();
    }

    fn reason(&self) -> String {
        self.why_not()
    }

    fn refusal(&self) -> Option<String> {
        self.refusal()
    }

    fn read(&self, reading: &mut RedisReading) {
        self.counts.read(&self.routes(), reading);
    }
}
