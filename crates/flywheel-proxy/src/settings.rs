use std::time::Duration;

use flywheel_engine::BackendError;
use http::Uri;

/// How to ask one backend about one kind of event.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// What the configuration calls it; `default` for the one that has no name. A label of its metrics.
    pub name: String,
    /// Where requests go: `http://` or `https://`.
    pub endpoint: String,
    /// How long a call may take as a whole: waiting for its turn, connecting, redirects and the answer's last byte.
    pub timeout: Duration,
    /// Headers sent with every request; those of the client win over them.
    pub static_headers: Vec<(String, String)>,
    /// Names in lower case of headers of the client's own request that are passed on.
    pub http_headers: Vec<String>,
    /// Names in lower case of headers that the client writes into its connect command and that are passed on.
    pub emulated_headers: Vec<String>,
    /// Payloads of clients travel as Base64, so that they need not be JSON.
    pub binary_encoding: bool,
    /// Tell the backend the connection's meta, except when it connects.
    pub include_meta: bool,
    /// What a status other than 200 means; the first entry for a status counts. Any other means failure.
    pub transforms: Vec<StatusTransform>,
    /// Calls that may be at the backend at a time; more wait.
    pub calls_max: usize,
    /// Bytes of requests that may wait; a call that finds no room fails.
    pub waiting_bytes_max: usize,
    /// Longest answer that is read.
    pub answer_bytes_max: usize,
}

/// What an HTTP status means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusTransform {
    /// The status.
    pub status: u16,
    /// An error or a disconnect.
    pub becomes: BackendError,
}

impl ProxySettings {
    /// At most as many connections as the reference keeps open.
    pub const CALLS_MAX: usize = 255;
    /// Room for some thousand calls, and a bound on what a backend that hangs can cost.
    pub const WAITING_BYTES_MAX: usize = 64 << 20;
    /// Four times what a client may have queued by default, so that Base64 of the longest sensible payload fits.
    pub const ANSWER_BYTES_MAX: usize = 4 << 20;

    /// A proxy with the default bounds that forwards nothing.
    pub fn new(name: &str, endpoint: &str, timeout: Duration) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            timeout,
            static_headers: Vec::new(),
            http_headers: Vec::new(),
            emulated_headers: Vec::new(),
            binary_encoding: false,
            include_meta: false,
            transforms: Vec::new(),
            calls_max: Self::CALLS_MAX,
            waiting_bytes_max: Self::WAITING_BYTES_MAX,
            answer_bytes_max: Self::ANSWER_BYTES_MAX,
        }
    }

    pub(crate) fn uri(&self) -> Result<Uri, BadProxy> {
        let uri: Uri = self.endpoint.parse().map_err(|_| BadProxy::Endpoint(self.endpoint.clone()))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(uri),
            _ => Err(BadProxy::Endpoint(self.endpoint.clone())),
        }
    }
}

/// Why a proxy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadProxy {
    /// The endpoint is no `http://` or `https://` URL.
    #[error("endpoint {0:?} is not an http:// or https:// URL")]
    Endpoint(String),
    /// A static header cannot be sent.
    #[error("static header {0:?} has a name or value that cannot be sent")]
    Header(String),
    /// The system's certificates cannot be read.
    #[error("no certificate authorities to check https endpoints with: {0}")]
    Authorities(String),
}
