//! What an operator is told about a connection that cannot be made, or a write that is refused: what it means, and which
//! key to change. For the log, readiness and `flywheel doctor` alike.

use std::fmt;

use crate::link::{CallError, ErrorWord, LinkError, ServerError};

/// Where in the configuration the connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The section, such as `engine.redis`.
    pub keys: &'a str,
    /// The key of the address, such as `engine.redis.address`.
    pub address: &'a str,
    /// It leads to a Sentinel, which has a user, a password and TLS of its own.
    pub to_sentinel: bool,
    /// It is encrypted.
    pub encrypted: bool,
}

/// What is wrong, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence without a full stop.
    pub text: String,
    /// What to change, with the key; empty when that cannot be said.
    pub advice: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.advice.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.text, self.advice)
        }
    }
}

impl Place<'_> {
    fn key(&self, name: &str) -> String {
        let sentinel = if self.to_sentinel { "sentinel_" } else { "" };
        format!("{}.{sentinel}{name}", self.keys)
    }
}

/// Explains why a connection cannot be made.
pub fn explain(error: &LinkError, place: Place<'_>) -> Explanation {
    match error {
        LinkError::NoAddress { host, reason } => Explanation {
            text: format!("the name {host} has no address ({reason})"),
            advice: format!("correct {}, or the name service of this machine", place.address),
        },
        LinkError::Connect { endpoint, reason } => Explanation {
            text: format!("nobody accepts connections at {endpoint} ({reason})"),
            advice: format!("start the server there, open the way to it, or correct {}", place.address),
        },
        LinkError::Tls { endpoint, reason, .. } => tls(&endpoint.to_string(), reason, place),
        LinkError::Refused { endpoint, step, error } => refused(&endpoint.to_string(), step, error, place),
        LinkError::NotRedis { endpoint, reason, .. } => not_redis(&endpoint.to_string(), reason, place),
        LinkError::TimedOut { endpoint, millis, step } if *step == "connecting" && !place.encrypted => {
            Explanation {
                text: format!("{endpoint} does not accept a connection within {millis} ms"),
                advice: format!("open the way to it (routes, firewall), or correct {}", place.address),
            }
        }
        LinkError::TimedOut { endpoint, millis, step } => Explanation {
            text: format!(
                "{endpoint} accepts connections, but nothing came within {millis} ms while waiting for {}",
                if *step == "connecting" { "TLS" } else { step }
            ),
            advice: format!(
                "look whether that process is frozen or overloaded, and whether it is Redis at all; else correct {}{}",
                place.address,
                if place.encrypted { format!(" or {}.enabled", place.key("tls")) } else { String::new() }
            ),
        },
    }
}

fn tls(endpoint: &str, reason: &str, place: Place<'_>) -> Explanation {
    let section = place.key("tls");
    let about = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let advice = if about(&["UnknownIssuer", "UnknownCA", "self-signed", "CaUsedAsEndEntity"]) {
        format!("write the authority that signed its certificate into {section}.server_ca_pem")
    } else if about(&["NotValidForName"]) {
        format!("write a name that is in its certificate into {section}.server_name, or into the address")
    } else if about(&["Expired", "NotValidYet"]) {
        "renew the certificate of the server, and compare the clocks".to_owned()
    } else if about(&["CertificateRequired", "BadCertificate", "HandshakeFailure"]) {
        format!("the server wants a certificate: write one into {section}.cert_pem and {section}.key_pem")
    } else {
        format!(
            "if it speaks no TLS, write redis:// instead of rediss://, or {section}.enabled: false; else look at its \
             certificate"
        )
    };
    Explanation { text: format!("TLS with {endpoint} fails ({reason})"), advice }
}

fn refused(endpoint: &str, step: &str, error: &ServerError, place: Place<'_>) -> Explanation {
    let says = |text: &str| format!("{endpoint} {text} ({error})");
    let (user, password) = (place.key("user"), place.key("password"));
    let (text, advice) = match error.word {
        ErrorWord::WrongPass => {
            (says("refuses user or password"), format!("correct {password}, and {user} if it has ACL users"))
        }
        ErrorWord::NoAuth => (says("wants a password"), format!("write it into {password}")),
        ErrorWord::NoPerm => (
            says("forbids something that is needed"),
            format!("allow it to the user in its ACL, or write another one into {user}"),
        ),
        ErrorWord::Loading => (says("is still loading its data"), "wait until it has".to_owned()),
        _ if error.text.contains("without any password configured") => {
            (says("has no password, and one was sent"), format!("take {password} out"))
        }
        _ if error.text.starts_with("DENIED") => (
            says("accepts this machine only, since it is in protected mode"),
            format!("set a password there, and the same in {password}"),
        ),
        _ if error.text.contains("max number of clients") => {
            (says("has no connection left"), "raise maxclients there, or close some".to_owned())
        }
        _ if step == "SELECT" => (
            says("has no such database"),
            format!("write 0 into {}.db, and set {0}.prefix instead", place.keys),
        ),
        _ => (says(&format!("refuses {step}")), String::new()),
    };
    Explanation { text, advice }
}

fn not_redis(endpoint: &str, reason: &str, place: Place<'_>) -> Explanation {
    let section = place.key("tls");
    if reason.contains("CertificateRequired") || reason.contains("BadCertificate") {
        return tls(endpoint, reason, place);
    }
    let advice = if place.encrypted {
        format!("correct {}, or the settings of {section}", place.address)
    } else {
        format!(
            "if it speaks TLS, write rediss:// instead of redis://, or {section}.enabled: true; if it is no Redis, \
             correct {}",
            place.address
        )
    };
    Explanation { text: format!("{endpoint} does not answer as Redis does ({reason})"), advice }
}

/// Explains why a call failed; `what` says what was tried, as in `writing`.
pub fn explain_call(error: &CallError, endpoint: &str, what: &str, place: Place<'_>) -> Explanation {
    let Some(said) = error.server() else {
        return Explanation {
            text: format!("{what} at {endpoint} fails: {error}"),
            advice: format!(
                "look whether that process is frozen or overloaded, and at the network; {}.io_timeout is how long \
                             is waited",
                place.keys
            ),
        };
    };
    let advice = match said.word {
        ErrorWord::ReadOnly => format!(
            "it is a replica, or became one: write the primary into {}, or Sentinels into {}.sentinel_address",
            place.address, place.keys
        ),
        ErrorWord::NoReplicas => {
            "bring its replicas back: it refuses to write with fewer than min-replicas-to-write".to_owned()
        }
        ErrorWord::Oom => "give it more memory (maxmemory), or write less history".to_owned(),
        ErrorWord::Misconf => {
            "it cannot save to its disk and stops writing for that: look at its log and its disk".to_owned()
        }
        ErrorWord::Loading => "wait until it has loaded its data".to_owned(),
        ErrorWord::Busy => "a script runs for too long there: SCRIPT KILL ends it".to_owned(),
        ErrorWord::ClusterDown => {
            "the cluster does not serve this slot: look at CLUSTER INFO and CLUSTER NODES there".to_owned()
        }
        ErrorWord::NoPerm => format!(
            "allow it to the user in the ACL of the server: all keys and channels that begin with {}.prefix",
            place.keys
        ),
        ErrorWord::NoAuth | ErrorWord::WrongPass => format!("correct {}", place.key("password")),
        ErrorWord::CrossSlot | ErrorWord::Moved | ErrorWord::Ask => {
            format!("it is a node of a cluster: write it into {}.cluster_address", place.keys)
        }
        _ => String::new(),
    };
    Explanation { text: format!("{what} at {endpoint} is refused ({said})"), advice }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::link::Endpoint;

    const PLACE: Place<'_> =
        Place { keys: "engine.redis", address: "engine.redis.address", to_sentinel: false, encrypted: false };

    fn said(text: &'static str) -> ServerError {
        ServerError::new(&Bytes::from_static(text.as_bytes()))
    }

    fn endpoint() -> Endpoint {
        Endpoint::tcp("a", 1)
    }

    #[test]
    fn what_a_server_refuses_names_the_key_to_change() {
        for (step, text, key) in [
            (
                "HELLO",
                "WRONGPASS invalid username-password pair or user is disabled.",
                "engine.redis.password",
            ),
            (
                "HELLO",
                "NOAUTH HELLO must be called with the client already authenticated",
                "engine.redis.password",
            ),
            (
                "AUTH",
                "ERR AUTH <password> called without any password configured",
                "take engine.redis.password out",
            ),
            ("HELLO", "NOPERM this user has no permissions", "engine.redis.user"),
            ("HELLO", "DENIED Redis is running in protected mode", "engine.redis.password"),
            ("HELLO", "ERR max number of clients reached", "maxclients"),
            ("SELECT", "ERR DB index is out of range", "engine.redis.db, and set engine.redis.prefix"),
        ] {
            let error = LinkError::Refused { endpoint: endpoint(), step, error: said(text) };
            let explained = explain(&error, PLACE);
            assert!(explained.advice.contains(key), "{text}: {explained}");
            assert!(explained.text.contains("a:1"), "{explained}");
        }
    }

    #[test]
    fn a_sentinel_has_keys_of_its_own() {
        let place = Place { to_sentinel: true, ..PLACE };
        let error = said("WRONGPASS invalid");
        let error = LinkError::Refused { endpoint: endpoint(), step: "HELLO", error };
        assert!(explain(&error, place).advice.starts_with("correct engine.redis.sentinel_password"));
        let error = LinkError::Tls {
            endpoint: endpoint(),
            reason: "invalid peer certificate: UnknownIssuer".into(),
            is_said: true,
        };
        assert!(explain(&error, place).advice.ends_with("engine.redis.sentinel_tls.server_ca_pem"));
    }

    #[test]
    fn silence_names_how_long_it_was_and_where() {
        let error = LinkError::TimedOut { endpoint: endpoint(), millis: 900, step: "HELLO" };
        let explained = explain(&error, PLACE).to_string();
        assert!(explained.contains("a:1 accepts connections, but nothing came within 900 ms"), "{explained}");
        assert!(explained.ends_with("else correct engine.redis.address"), "{explained}");
        let error = LinkError::TimedOut { endpoint: endpoint(), millis: 900, step: "connecting" };
        assert!(explain(&error, PLACE).text.contains("does not accept a connection"));
        let encrypted = Place { encrypted: true, ..PLACE };
        assert!(explain(&error, encrypted).to_string().contains("waiting for TLS"));
    }

    #[test]
    fn a_refused_write_says_what_to_do_about_it() {
        for (text, advice) in [
            ("READONLY You can't write against a read only replica.", "engine.redis.sentinel_address"),
            ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
            ("OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"),
            ("MISCONF Redis is configured to save RDB snapshots", "disk"),
            ("MOVED 1 b:2", "engine.redis.cluster_address"),
            ("NOPERM no permissions to access one of the keys", "engine.redis.prefix"),
        ] {
            let explained = explain_call(&CallError::Server(said(text)), "a:1", "writing", PLACE);
            assert!(explained.advice.contains(advice), "{text}: {explained}");
        }
        let silent = explain_call(&CallError::TimedOut, "a:1", "writing", PLACE).to_string();
        assert!(silent.contains("engine.redis.io_timeout"), "{silent}");
    }
}
