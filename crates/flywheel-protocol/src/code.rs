use std::borrow::Cow;

/// An error in a reply: the client stays connected.
///
/// Source: client protocol, section 4.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// 100 to 399 are the server's own, 400 to 1999 belong to applications.
    pub code: u32,
    /// For people; clients do not interpret it.
    pub message: Cow<'static, str>,
    /// Whether the same command may work later.
    pub temporary: bool,
}

impl ErrorCode {
    /// 100: a fault of ours; the cause is in the log.
    pub const INTERNAL: Self = Self::temporary(100, "internal server error");
    /// 102: the namespace does not exist.
    pub const UNKNOWN_CHANNEL: Self = Self::lasting(102, "unknown channel");
    /// 103: not allowed.
    pub const PERMISSION_DENIED: Self = Self::lasting(103, "permission denied");
    /// 104: no such RPC method.
    pub const METHOD_NOT_FOUND: Self = Self::lasting(104, "method not found");
    /// 105: the connection has the channel.
    pub const ALREADY_SUBSCRIBED: Self = Self::lasting(105, "already subscribed");
    /// 106: too many channels.
    pub const LIMIT_EXCEEDED: Self = Self::lasting(106, "limit exceeded");
    /// 107: understood, but not valid.
    pub const BAD_REQUEST: Self = Self::lasting(107, "bad request");
    /// 108: the feature is off.
    pub const NOT_AVAILABLE: Self = Self::lasting(108, "not available");
    /// 109: the client should fetch a new token.
    pub const TOKEN_EXPIRED: Self = Self::lasting(109, "token expired");
    /// 110: the expiry is in the past.
    pub const EXPIRED: Self = Self::lasting(110, "expired");
    /// 111: rate limited.
    pub const TOO_MANY_REQUESTS: Self = Self::temporary(111, "too many requests");
    /// 112: the position cannot be served.
    pub const UNRECOVERABLE_POSITION: Self = Self::lasting(112, "unrecoverable position");

    const fn lasting(code: u32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), temporary: false }
    }

    const fn temporary(code: u32, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message), temporary: true }
    }

    /// The same error, marked as worth another try.
    #[must_use]
    pub fn made_temporary(self) -> Self {
        Self { temporary: true, ..self }
    }
}

/// Why the server ends a connection. Codes 3000-3499 and 4000-4499 ask the client to come back, 3500-3999 and 4500-4999
/// tell it to stay away.
///
/// Source: client protocol, section 4.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// The close code.
    pub code: u32,
    /// Never empty and never valid JSON: SDKs depend on both (section 14.5).
    pub reason: Cow<'static, str>,
}

macro_rules! disconnects {
    ($($(#[$doc:meta])* $name:ident = $code:literal $reason:literal;)*) => {
        impl Disconnect {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, reason: Cow::Borrowed($reason) };)*

            /// Every disconnect of the server's own.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

disconnects! {
    /// The peer went away. Never sent.
    CONNECTION_CLOSED = 3000 "connection closed";
    /// This node stops.
    SHUTDOWN = 3001 "shutdown";
    /// A fault of ours.
    INTERNAL = 3004 "internal server error";
    /// The connection's credentials ran out.
    EXPIRED = 3005 "connection expired";
    /// A server-side subscription ran out.
    SUBSCRIPTION_EXPIRED = 3006 "subscription expired";
    /// The client does not read fast enough.
    SLOW = 3008 "slow";
    /// A write failed or took too long.
    WRITE_ERROR = 3009 "write error";
    /// The position of a server-side subscription was lost.
    INSUFFICIENT_STATE = 3010 "insufficient state";
    /// Asked for by the server API.
    FORCE_RECONNECT = 3011 "force reconnect";
    /// A ping was not answered.
    NO_PONG = 3012 "no pong";
    /// Rate limited.
    TOO_MANY_REQUESTS = 3013 "too many requests";
    /// The token does not verify or is somebody else's.
    INVALID_TOKEN = 3500 "invalid token";
    /// The client broke the protocol or brought no credentials.
    BAD_REQUEST = 3501 "bad request";
    /// No `connect` in time.
    STALE = 3502 "stale";
    /// Asked for by the server API.
    FORCE_DISCONNECT = 3503 "force disconnect";
    /// Too many connections of one user.
    CONNECTION_LIMIT = 3504 "connection limit";
    /// Too many channels on one connection.
    CHANNEL_LIMIT = 3505 "channel limit";
    /// A payload that is not JSON for a JSON connection.
    INAPPROPRIATE_PROTOCOL = 3506 "inappropriate protocol";
    /// Not allowed to connect.
    PERMISSION_DENIED = 3507 "permission denied";
    /// Nothing here consumes `send`.
    NOT_AVAILABLE = 3508 "not available";
    /// The client keeps failing.
    TOO_MANY_ERRORS = 3509 "too many errors";
}

/// Why the server ends a subscription. Codes from 2500 ask the client to subscribe again.
///
/// Source: client protocol, section 4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribed {
    /// 2000 to 2999.
    pub code: u32,
    /// Never empty.
    pub reason: &'static str,
}

impl Unsubscribed {
    /// 2000: asked for by the server API.
    pub const BY_SERVER: Self = Self { code: 2000, reason: "server unsubscribe" };
    /// 2500: the position was lost.
    pub const INSUFFICIENT_STATE: Self = Self { code: 2500, reason: "insufficient state" };
    /// 2501: it was not refreshed in time.
    pub const EXPIRED: Self = Self { code: 2501, reason: "subscription expired" };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_is_empty_json_or_too_long_for_a_close_frame() {
        for disconnect in Disconnect::ALL {
            assert!(!disconnect.reason.is_empty() && disconnect.reason.len() <= 123);
            assert!(serde_json::from_str::<serde_json::Value>(&disconnect.reason).is_err(), "{disconnect:?}");
        }
    }

    #[test]
    fn codes_are_unique() {
        let codes: std::collections::BTreeSet<_> = Disconnect::ALL.iter().map(|known| known.code).collect();
        assert_eq!(codes.len(), Disconnect::ALL.len());
    }
}
