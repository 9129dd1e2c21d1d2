//! Messages of the server API in JSON.
//!
//! Source: server API, sections 1 to 4.

mod message;

use flywheel_model::OptionOverrides;

pub use message::*;

/// What a caller or a backend replaces; a member that is absent replaces nothing.
impl From<SubscribeOptionOverride> for OptionOverrides {
    fn from(given: SubscribeOptionOverride) -> Self {
        let value = |member: Option<BoolValue>| member.map(|given| given.value);
        Self {
            presence: value(given.presence),
            join_leave: value(given.join_leave),
            force_push_join_leave: value(given.force_push_join_leave),
            force_recovery: value(given.force_recovery),
            force_positioning: value(given.force_positioning),
        }
    }
}
