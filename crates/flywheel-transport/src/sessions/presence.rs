//! Gathers the presence entries that timers want refreshed: one engine call for many clients.

use flywheel_session::Tell;

use super::Sessions;

/// Entries of one call.
const REFRESHES_PER_CALL: usize = 256;

impl Sessions {
    /// Tells the node, refreshes of presence entries together with those of other clients.
    pub(super) fn tell(&mut self, tell: Tell) {
        match tell {
            Tell::RefreshPresence(entries) => {
                self.refreshes.extend(entries);
                if self.refreshes.len() >= REFRESHES_PER_CALL {
                    self.refresh_presence();
                }
            }
            tell => {
                // What is told later is done later: an entry that is removed is not refreshed after that.
                self.refresh_presence();
                self.parts.node.tell(tell);
            }
        }
    }

    /// Refreshes what has been gathered.
    pub(super) fn refresh_presence(&mut self) {
        if !self.refreshes.is_empty() {
            self.parts.node.refresh_presence(std::mem::take(&mut self.refreshes));
        }
    }
}
