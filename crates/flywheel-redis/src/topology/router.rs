use tokio::sync::watch;

use super::Shard;
use crate::engine::{Call, Called, Router};
use crate::keys::Layout;
use crate::link::Endpoint;
use crate::resp::Command;

impl Router for Shard {
    fn call<'c>(&'c self, call: Call, make: &'c (dyn Fn() -> Command + Send + Sync)) -> Called<'c> {
        Box::pin(self.carry(call, make))
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
}
