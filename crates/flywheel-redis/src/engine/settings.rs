use std::time::Duration;

/// How an engine uses Redis. The defaults are the reference's where it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// What the names of all keys and channels begin with.
    pub prefix: String,
    /// Time for a call, from its beginning to its answer, with every further attempt. Longer than the second for which writes
    /// wait in a planned failover.
    pub command_timeout: Duration,
    /// Keep history in lists, as old versions of the reference did, and not in streams.
    pub history_lists: bool,
    /// How long a presence entry lives without being refreshed; counted in whole seconds.
    pub presence_ttl: Duration,
    /// Count users as they come and go, so that statistics need not look at every client.
    pub presence_users: bool,
    /// Let the server forget presence entries by itself, which it can since version 7.4.
    pub presence_field_ttl: bool,
    /// Time between two probes of a kind, and for each of them.
    pub probe_interval: Duration,
    /// A fault that is over sooner is a blink: it is reported, but not logged, and ends with the first probe that passes.
    pub probe_tolerance: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "centrifugo".into(),
            command_timeout: Duration::from_millis(1_500),
            history_lists: false,
            presence_ttl: Duration::from_mins(1),
            presence_users: false,
            presence_field_ttl: false,
            probe_interval: Duration::from_secs(1),
            probe_tolerance: Duration::from_millis(2_500),
        }
    }
}
