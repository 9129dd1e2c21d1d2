use std::sync::{Arc, OnceLock};

use super::{Server, SlotMap};
use crate::keys::key_slot;
use crate::link::Endpoint;

/// Texts that are tried: more than enough to hit a single slot.
const SPREADS_MAX: u32 = 200_000;

/// Which server is asked about which slot, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// `None` where one server has everything.
    pub(super) map: Option<SlotMap>,
    /// The nodes of the map in its order, or the one server; none when it is not known.
    pub(super) servers: Vec<Arc<Server>>,
    /// Found when they are asked for.
    spreads: OnceLock<Vec<(Endpoint, String)>>,
}

impl Routes {
    /// Nobody but `server` is asked.
    pub(super) fn of_server(server: Arc<Server>) -> Self {
        Self { map: None, servers: vec![server], spreads: OnceLock::new() }
    }

    /// `servers` are the nodes of the map, in its order.
    pub(super) fn of_map(map: SlotMap, servers: Vec<Arc<Server>>) -> Self {
        Self { map: Some(map), servers, spreads: OnceLock::new() }
    }

    /// Every server that is written to, with a text that is in a slot of its own.
    pub(super) fn spreads(&self) -> &[(Endpoint, String)] {
        self.spreads.get_or_init(|| {
            let mut missing: Vec<_> = self.writable().map(|server| server.endpoint().clone()).collect();
            let mut found = Vec::with_capacity(missing.len());
            for number in 0..SPREADS_MAX {
                if missing.is_empty() {
                    break;
                }
                let spread = number.to_string();
                let owner =
                    self.server_of(key_slot(spread.as_bytes())).map(|server| server.endpoint().clone());
                if let Some(index) = missing.iter().position(|endpoint| Some(endpoint) == owner.as_ref()) {
                    found.push((missing.swap_remove(index), spread));
                }
            }
            found
        })
    }

    /// The server to ask about a slot.
    pub fn server_of(&self, slot: u16) -> Option<&Arc<Server>> {
        match &self.map {
            None => self.servers.first(),
            Some(map) => self.servers.get(map.owner_index(slot)?),
        }
    }

    /// The server at an address.
    pub fn server_at(&self, endpoint: &Endpoint) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| server.endpoint() == endpoint)
    }

    /// Every server that is written to.
    pub fn writable(&self) -> impl Iterator<Item = &Arc<Server>> {
        let owns = |server: &&Arc<Server>| match &self.map {
            None => true,
            Some(map) => map.owns(server.endpoint()),
        };
        self.servers.iter().filter(owns)
    }

    /// Who owns what, in a cluster.
    pub fn map(&self) -> Option<&SlotMap> {
        self.map.as_ref()
    }
}
