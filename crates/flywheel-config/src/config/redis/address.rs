use std::fmt;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Name or IP address; the latter of version 6 without brackets. Never empty.
    pub host: String,
    /// Not 0.
    pub port: u16,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RedisAddress {
    /// On TCP.
    Tcp(HostPort),
    /// On the Unix socket at this path.
    Unix(String),
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix://{path}"),
        }
    }
}

impl RedisAddress {
    /// Host and port, unless it is a socket.
    pub fn tcp(&self) -> Option<&HostPort> {
        match self {
            Self::Tcp(address) => Some(address),
            Self::Unix(_) => None,
        }
    }
}

impl HostPort {
    /// Reads `host:port`; without a port, takes `default` if there is one.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn parse(text: &str, default: Option<u16>) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| {
                    format!("{text:?} has a bracket without its other half; write it as in \"[::1]:6379\"")
                })?;
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => {
                        return Err(format!(
                            "{text:?} has no colon before its port; write \"[{host}]:{after}\""
                        ));
                    }
                }
            }
            None => match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => {
                    return Err(format!(
                        "{text:?} has more than one colon; put an IPv6 address in brackets, as in \"[::1]:6379\""
                    ));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(format!("{text:?} names no host; write host and port, as in \"redis.example:6379\""));
        }
        if let Some(odd) =
            host.chars().find(|c| c.is_whitespace() || c.is_control() || "/@?#,;\"".contains(*c))
        {
            return Err(format!(
                "{text:?} has {odd:?} in its host; write host and port, as in \"redis.example:6379\""
            ));
        }
        let port =
            match (port, default) {
                (Some(port), _) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                    format!("the port of {text:?} is {port:?}; write a number from 1 to 65535")
                })?,
                (None, Some(port)) => port,
                (None, None) => return Err(format!("{text:?} has no port; write it as in \"{host}:6379\"")),
            };
        Ok(Self { host: host.to_owned(), port })
    }
}
