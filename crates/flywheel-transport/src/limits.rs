use std::time::Duration;

use flywheel_websocket::Rules;

/// What one connection may do; connections of one endpoint share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Time for a blocked socket to take something.
    pub write_timeout: Duration,
    /// What frames of a WebSocket may look like. Compression is settled with each connection.
    pub rules: Rules,
    /// Bytes of a compressed message once it is decompressed, at most.
    pub decompressed_max: usize,
}

impl Default for ConnectionLimits {
    /// 1 s, the default rules, and ten times their length of a message.
    ///
    /// Source: client protocol, sections 2.3 and 2.4; configuration-v6, section 2.10.
    fn default() -> Self {
        let rules = Rules::default();
        Self { write_timeout: Duration::from_secs(1), rules, decompressed_max: 10 * rules.max_message }
    }
}
