use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flywheel_model::{ClientInfo, Payload, Timestamp};

use crate::PresenceStats;

/// Who is present in one channel, and until when if nobody says so again.
#[derive(Debug, Default)]
pub(super) struct Present(BTreeMap<String, (Arc<ClientInfo>, Timestamp)>);

fn weight(info: &ClientInfo) -> usize {
    let payloads = [&info.conn_info, &info.chan_info];
    320 + payloads.iter().filter_map(|payload| payload.as_ref()).map(Payload::len).sum::<usize>()
}

impl Present {
    /// Adds or refreshes an entry; answers what that changes in weight: gained and lost.
    pub(super) fn add(&mut self, info: ClientInfo, expires: Timestamp) -> (usize, usize) {
        let gained = weight(&info);
        let replaced = self.0.insert(info.client.clone(), (Arc::new(info), expires));
        (gained, replaced.map_or(0, |(info, _)| weight(&info)))
    }

    /// Removes an entry; answers the weight that is gone.
    pub(super) fn remove(&mut self, client: &str) -> usize {
        self.0.remove(client).map_or(0, |(info, _)| weight(&info))
    }

    /// Drops entries whose time is up; answers the weight that is gone.
    pub(super) fn expire(&mut self, now: Timestamp) -> usize {
        let mut gone = 0;
        self.0.retain(|_, (info, expires)| {
            let stays = *expires > now;
            gone += if stays { 0 } else { weight(info) };
            stays
        });
        gone
    }

    pub(super) fn clients(&self, now: Timestamp) -> Vec<Arc<ClientInfo>> {
        self.current(now).cloned().collect()
    }

    pub(super) fn stats(&self, now: Timestamp) -> PresenceStats {
        let users: BTreeSet<_> = self.current(now).map(|info| &info.user).collect();
        PresenceStats { clients: self.current(now).count(), users: users.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn current(&self, now: Timestamp) -> impl Iterator<Item = &Arc<ClientInfo>> {
        self.0.values().filter(move |(_, expires)| *expires > now).map(|(info, _)| info)
    }
}
