use std::collections::BTreeMap;
use std::sync::Arc;

use flywheel_protocol::client::Transport;

use crate::ConnectionLimits;

/// Where clients of one transport connect.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What carries their messages.
    pub transport: Transport,
    /// Its path.
    pub path: String,
    /// Longest body of a request in bytes.
    pub body_bytes_max: usize,
    /// With it a connect request that fails is answered with a status and no stream is begun.
    pub statuses: Option<Arc<Statuses>>,
    /// How clients that listen only are told on a WebSocket that it ends.
    pub farewell: Farewell,
    /// Whether a WebSocket agrees to compress messages.
    pub compression: bool,
    /// What each of its connections may do. Connections keep what was in force when they came.
    pub limits: Arc<ConnectionLimits>,
}

/// The statuses of connect requests that fail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Status and body by the code of the error or of the disconnect.
    pub by_code: BTreeMap<u32, (u16, String)>,
}

impl Statuses {
    /// Status and body for a code; 500 unless configured.
    pub(crate) fn of(&self, code: u32) -> (u16, &str) {
        self.by_code.get(&code).map_or((500, ""), |(status, body)| (*status, body))
    }
}

/// How clients that listen only are told on a WebSocket that it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// With a push.
    pub push: bool,
    /// With a close frame. Otherwise the connection is dropped.
    pub close_frame: bool,
}

impl Default for Farewell {
    fn default() -> Self {
        Self { push: true, close_frame: true }
    }
}

impl Endpoint {
    /// An endpoint with the documented defaults.
    pub fn new(transport: Transport, path: &str) -> Self {
        Self {
            transport,
            path: path.to_owned(),
            body_bytes_max: 65_536,
            statuses: None,
            farewell: Farewell::default(),
            compression: false,
            limits: Arc::default(),
        }
    }
}
