use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Tls;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A name, which is looked up at each dial, or an address.
    Tcp {
        /// Without brackets, also when it is an IPv6 address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Endpoint {
    /// A TCP endpoint.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// The host of a TCP endpoint.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The text is neither `host:port` nor an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither host:port nor the path of a socket")]
pub struct InvalidEndpoint(pub String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let invalid = || InvalidEndpoint(text.to_owned());
        // An IPv6 address has colons of its own; servers write it without brackets.
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self::tcp(host, port.parse().map_err(|_| invalid())?))
    }
}

/// How to talk to a server, and how long to wait for it.
#[derive(Clone)]
pub struct LinkSettings {
    /// Encrypts the connection; `None` does not.
    pub tls: Option<Tls>,
    /// User to authenticate as; empty means the default one.
    pub user: String,
    /// Password; empty means not to authenticate.
    pub password: String,
    /// Number of the database. Has no influence on publications, which all databases share.
    pub db: u32,
    /// Name that the server shows for the connection; empty for none.
    pub client_name: String,
    /// Speak version 2 of the protocol without trying version 3.
    pub resp2: bool,
    /// Time for a whole dial: name, connection, encryption, authentication.
    pub connect_timeout: Duration,
    /// Time without a single byte from the server, while it owes an answer, after which the connection is given up.
    /// Longer than the longest pause of a healthy server.
    pub silence_max: Duration,
    /// Time without a byte from the server after which it is asked for one.
    pub heartbeat: Duration,
    /// Calls that wait or are in flight; further ones wait for a place within their deadlines.
    pub calls_max: usize,
    /// Bytes of the commands of these calls.
    pub bytes_max: usize,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            tls: None,
            user: String::new(),
            password: String::new(),
            db: 0,
            client_name: String::new(),
            resp2: false,
            connect_timeout: Duration::from_secs(1),
            silence_max: Duration::from_secs(1),
            heartbeat: Duration::from_millis(250),
            calls_max: 1 << 14,
            bytes_max: 64 << 20,
        }
    }
}

/// Without the password.
impl fmt::Debug for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSettings")
            .field("tls", &self.tls.is_some())
            .field("user", &self.user)
            .field("password", &!self.password.is_empty())
            .field("db", &self.db)
            .field("resp2", &self.resp2)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_what_it_prints_and_what_servers_print() {
        for (text, expected, printed) in [
            ("a.b:6379", Endpoint::tcp("a.b", 6379), "a.b:6379"),
            ("[::1]:1", Endpoint::tcp("::1", 1), "[::1]:1"),
            ("::1:6379", Endpoint::tcp("::1", 6379), "[::1]:6379"),
            ("/run/r.sock", Endpoint::Unix("/run/r.sock".into()), "/run/r.sock"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((&endpoint, endpoint.to_string().as_str()), (&expected, printed));
        }
        for text in ["", "host", "host:", "host:66000", "host:x"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
