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

    fn ear(&self) -> watch::Receiver<Option<Endpoint>> {
        self.ear_of(None)
    }

    fn reason(&self) -> String {
        self.why_not()
    }
}
