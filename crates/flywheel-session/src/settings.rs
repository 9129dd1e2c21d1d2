use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::ChannelRules;
use flywheel_protocol::{Disconnect, ErrorCode};

/// What a session may and must do. One for all sessions of a node; a reload replaces it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Server version, shown in the connect result.
    pub version: String,
    /// Names the node, in the connect result of clients whose commands come in requests of their own.
    pub node: String,
    /// What a client that listens only is told instead of an error, by the error's code, where that is not what the
    /// protocol says. Config block `client.connect_code_to_unidirectional_disconnect`.
    pub unidirectional_disconnects: BTreeMap<u32, Disconnect>,
    /// Namespaces.
    pub rules: Arc<ChannelRules>,
    /// Time between pings; `None` sends none. Config key `client.ping_interval`.
    pub ping_interval: Option<Duration>,
    /// How long a pong may take; `None` asks for none. Config key `client.pong_timeout`.
    pub pong_timeout: Option<Duration>,
    /// How long a client may take to connect. Config key `client.stale_close_delay`.
    pub stale_close_delay: Duration,
    /// Grace after the expiry of a connection. Config key `client.expired_close_delay`.
    pub expired_close_delay: Duration,
    /// Grace after the expiry of a subscription. Config key `client.expired_sub_close_delay`.
    pub expired_sub_close_delay: Duration,
    /// Channels of one connection. Config key `client.channel_limit`.
    pub channel_limit: usize,
    /// Bytes that may be held back for one subscription. Config key `client.queue_max_size`.
    pub queue_bytes_max: usize,
    /// Time between presence refreshes. Config key `client.presence_update_interval`.
    pub presence_update_interval: Duration,
    /// Time between position checks of a silent channel. Config key `client.channel_position_check_delay`.
    pub position_check_delay: Duration,
    /// Publications in one history result; `None` means no limit. Config key `client.history_max_publication_limit`.
    pub history_limit: Option<usize>,
    /// Publications recovered at once; `None` means no limit. Config key `client.recovery_max_publication_limit`.
    pub recovery_limit: Option<usize>,
    /// No authentication, everything allowed. Config key `client.insecure`.
    pub insecure: bool,
    /// Whether the connect result tells the time. Config key `client.connect_include_server_time`.
    pub include_server_time: bool,
    /// Config block `client.subscribe_to_user_personal_channel`.
    pub personal_channel: Option<PersonalChannel>,
    /// What answers `rpc`.
    pub rpc: RpcSettings,
    /// What the application's backend decides, apart from what namespaces say.
    pub backend: BackendSettings,
    /// Whether a command that a backend is asked about holds up the commands behind it. Config key
    /// `client.concurrency`, where 0 and 1 mean that it does.
    pub one_by_one: bool,
    /// Commands that may wait for an answer at once before reading stops. Config key `client.concurrency`, where 0
    /// means this server's own bound.
    pub commands_in_flight_max: usize,
}

/// The channel that every connection of a user is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalChannel {
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Whether a new connection of a user ends the older ones. Needs presence in the namespace.
    pub single_connection: bool,
}

/// What the application's backend decides about connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendSettings {
    /// Who connects without a token. Config key `client.proxy.connect.enabled`.
    pub connect: bool,
    /// Whether a connection goes on when it expires. Config key `client.proxy.refresh.enabled`.
    pub refresh: bool,
    /// Names in lower case of headers in the connect command that are kept, because some backend is told them.
    pub emulated_headers: Vec<String>,
}

/// What answers `rpc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcSettings {
    /// Name of the built-in method that returns nothing; `None` when it is off.
    pub ping_method: Option<String>,
    /// Ends the namespace in a method's name. Config key `rpc.namespace_boundary`.
    pub namespace_boundary: String,
    /// Whether a backend serves methods without a namespace.
    pub without_namespace: bool,
    /// Whether a backend serves the methods of each namespace.
    pub namespaces: BTreeMap<String, bool>,
}

impl Default for RpcSettings {
    fn default() -> Self {
        Self {
            ping_method: None,
            namespace_boundary: ":".into(),
            without_namespace: false,
            namespaces: BTreeMap::new(),
        }
    }
}

impl RpcSettings {
    /// Whether a backend serves `method`; otherwise what the client is told.
    pub(crate) fn check(&self, method: &str) -> Result<(), ErrorCode> {
        let any = self.without_namespace || self.namespaces.values().any(|served| *served);
        if !any {
            // The built-in method alone makes procedures available, just not this one.
            let no_method = self.ping_method.is_some();
            return Err(if no_method { ErrorCode::METHOD_NOT_FOUND } else { ErrorCode::NOT_AVAILABLE });
        }
        let served = match method.split_once(self.namespace_boundary.as_str()) {
            None => self.without_namespace,
            Some((namespace, _)) => *self.namespaces.get(namespace).ok_or(ErrorCode::METHOD_NOT_FOUND)?,
        };
        if served { Ok(()) } else { Err(ErrorCode::NOT_AVAILABLE) }
    }
}

impl Settings {
    /// What a client that listens only is told when its connect request fails with `error`.
    ///
    /// Source: client protocol, section 9.
    pub(crate) fn disconnect_instead_of(&self, error: &ErrorCode) -> Disconnect {
        if let Some(disconnect) = self.unidirectional_disconnects.get(&error.code) {
            return disconnect.clone();
        }
        if [ErrorCode::TOKEN_EXPIRED.code, ErrorCode::EXPIRED.code].contains(&error.code) {
            Disconnect::EXPIRED
        } else if error.code == ErrorCode::TOO_MANY_REQUESTS.code {
            Disconnect::TOO_MANY_REQUESTS
        } else if error.code == ErrorCode::PERMISSION_DENIED.code {
            Disconnect::PERMISSION_DENIED
        } else {
            Disconnect::INTERNAL
        }
    }

    /// The name of the personal channel of `user`; `None` when there is no such thing.
    pub fn personal_channel_of(&self, user: &str) -> Option<String> {
        let personal = self.personal_channel.as_ref().filter(|_| !user.is_empty())?;
        let ChannelRules { namespace_boundary, user_boundary, .. } = &*self.rules;
        Some(match personal.namespace.as_str() {
            "" => format!("{user_boundary}{user}"),
            namespace => format!("{namespace}{namespace_boundary}{user_boundary}{user}"),
        })
    }
}

impl Default for Settings {
    /// The documented defaults (client protocol, appendix D).
    fn default() -> Self {
        Self {
            version: "0.0.0".into(),
            node: String::new(),
            unidirectional_disconnects: BTreeMap::new(),
            rules: Arc::default(),
            ping_interval: Some(Duration::from_secs(25)),
            pong_timeout: Some(Duration::from_secs(8)),
            stale_close_delay: Duration::from_secs(10),
            expired_close_delay: Duration::from_secs(25),
            expired_sub_close_delay: Duration::from_secs(25),
            channel_limit: 128,
            queue_bytes_max: 1_048_576,
            presence_update_interval: Duration::from_secs(27),
            position_check_delay: Duration::from_secs(40),
            history_limit: Some(300),
            recovery_limit: Some(300),
            insecure: false,
            include_server_time: false,
            personal_channel: None,
            rpc: RpcSettings::default(),
            backend: BackendSettings::default(),
            one_by_one: true,
            commands_in_flight_max: 256,
        }
    }
}
