use parking_lot::Mutex;
use tokio::sync::watch;

use super::Routes;
use crate::link::Endpoint;

/// Where what is published is to be heard, for everybody who asked.
///
/// The lock guards who asked; nothing is taken under it.
#[derive(Debug, Default)]
pub(super) struct Ears(Mutex<Vec<Ear>>);

#[derive(Debug)]
struct Ear {
    /// Of what is published in this slot only; `None` hears everything.
    slot: Option<u16>,
    at: watch::Sender<Option<Endpoint>>,
}

impl Ears {
    /// Where to hear, now and whenever that changes.
    pub(super) fn ask(
        &self,
        slot: Option<u16>,
        routes: &Routes,
        chance: u64,
    ) -> watch::Receiver<Option<Endpoint>> {
        let (at, told) = watch::channel(place(slot, routes, None, chance));
        self.0.lock().push(Ear { slot, at });
        told
    }

    /// Tells everybody whose place has changed. Whoever is not asked for any more is forgotten.
    pub(super) fn handle_routes(&self, routes: &Routes, chance: u64) {
        self.0.lock().retain(|ear| {
            let now = ear.at.borrow().clone();
            let next = place(ear.slot, routes, now.as_ref(), chance);
            if next != now {
                ear.at.send_replace(next);
            }
            !ear.at.is_closed()
        });
    }
}

/// The owner of the slot; or a server that hears everything: where it is now while that one serves, else one of those that
/// do, by chance, since every node of a cluster hears what is published on any.
fn place(slot: Option<u16>, routes: &Routes, now: Option<&Endpoint>, chance: u64) -> Option<Endpoint> {
    if let Some(slot) = slot {
        return routes.server_of(slot).map(|server| server.endpoint().clone());
    }
    if routes.map().is_none() {
        return routes.servers.first().map(|server| server.endpoint().clone());
    }
    let serving: Vec<_> =
        routes.writable().filter(|server| server.link().is_some()).map(|server| server.endpoint()).collect();
    if serving.is_empty() || now.is_some_and(|now| serving.contains(&now)) {
        return now.cloned();
    }
    let index = usize::try_from(chance).unwrap_or_default() % serving.len();
    serving.get(index).map(|endpoint| (*endpoint).clone())
}
