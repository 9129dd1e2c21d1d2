use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Routes;
use crate::link::Endpoint;

/// Where what is published is to be heard, for everybody who asked.
///
/// The lock guards who asked. The pointer to the routes is read under it, so that nobody is placed by routes that were
/// replaced meanwhile: who asks sees the new ones, or is seen by whoever replaces them.
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
        routes: impl FnOnce() -> Arc<Routes>,
        chance: u64,
    ) -> watch::Receiver<Option<Endpoint>> {
        let mut ears = self.0.lock();
        let (at, told) = watch::channel(place(slot, &routes(), None, chance));
        ears.push(Ear { slot, at });
        told
    }

    /// Tells everybody whose place has changed. Whoever is not asked for any more is forgotten.
    pub(super) fn handle_routes(&self, routes: impl FnOnce() -> Arc<Routes>, chance: u64) {
        let mut ears = self.0.lock();
        let routes = routes();
        ears.retain(|ear| {
            let now = ear.at.borrow().clone();
            let next = place(ear.slot, &routes, now.as_ref(), chance);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_placed_by_routes_that_are_replaced_meanwhile() {
        let ears = Ears::default();
        let routes = || {
            assert!(ears.0.try_lock().is_none(), "somebody else could be told of newer ones now");
            Arc::<Routes>::default()
        };
        let told = ears.ask(None, routes, 0);
        ears.handle_routes(routes, 0);
        assert_eq!(*told.borrow(), None);
    }
}
