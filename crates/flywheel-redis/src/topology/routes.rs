use std::sync::Arc;

use super::{Server, SlotMap};
use crate::link::Endpoint;

/// Which server is asked about which slot, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// `None` where one server has everything.
    pub(super) map: Option<SlotMap>,
    /// The nodes of the map in its order, or the one server; none when it is not known.
    pub(super) servers: Vec<Arc<Server>>,
}

impl Routes {
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
