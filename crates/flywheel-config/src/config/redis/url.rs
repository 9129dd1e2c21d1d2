//! Addresses of `address`: a URL or `host:port`. Source: configuration-v6, section 2.2.

use super::address::{HostPort, RedisAddress};
use super::query::{Query, decoded};

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What the servers behind an address are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Cluster,
    Sentinel,
}

/// One item of `address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) kind: Kind,
    /// At least one. Those of clusters and Sentinels are on TCP.
    pub(super) addresses: Vec<RedisAddress>,
    /// The scheme asks for TLS.
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) db: Option<u32>,
    pub(super) query: Query,
}

const SCHEMES: &[(&str, Kind, bool)] = &[
    ("redis", Kind::Plain, false),
    ("rediss", Kind::Plain, true),
    ("tcp", Kind::Plain, false),
    ("redis+sentinel", Kind::Sentinel, false),
    ("rediss+sentinel", Kind::Sentinel, true),
    ("redis+cluster", Kind::Cluster, false),
    ("rediss+cluster", Kind::Cluster, true),
];

/// Reads one item of `address`.
///
/// # Errors
/// What to write instead; never with a password in it.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        if text.starts_with('/') {
            return Err(format!("{text:?} looks like the path of a socket; write \"unix://{text}\""));
        }
        if text.contains(['@', '?']) {
            return Err(
                "user, password and options need a URL; write it as in \"redis://user:password@host:6379\""
                    .into(),
            );
        }
        let address = RedisAddress::Tcp(HostPort::parse(text, None)?);
        return Ok(Url::plain(address));
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A value of the query has its `=` first.
    let query_has_at = query.find('@').is_some_and(|at| !query[..at].contains('='));
    let query = Query::parse(query.split('#').next().unwrap_or(""))?;
    if scheme == "unix" {
        return socket(rest, query);
    }
    let Some((_, kind, tls)) = SCHEMES.iter().find(|(known, ..)| *known == scheme) else {
        let known: Vec<&str> = SCHEMES.iter().map(|row| row.0).chain(["unix"]).collect();
        return Err(format!("the scheme {scheme:?} is unknown; write one of {}", known.join(", ")));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') || (query_has_at && !authority.contains('@')) {
        return Err(
            "a slash or question mark comes before the @; in a password write / as %2F and ? as %3F".into()
        );
    }
    let (user, password, hosts) = credentials(authority)?;
    let port = if *kind == Kind::Sentinel { SENTINEL_PORT } else { REDIS_PORT };
    let hosts = hosts.split(',').map(str::trim).chain(query.addresses.iter().map(String::as_str));
    let addresses = hosts.map(|host| HostPort::parse(host, Some(port)).map(RedisAddress::Tcp));
    let addresses = addresses.collect::<Result<_, _>>()?;
    let db = match path.trim_end_matches('/') {
        "" => query.db,
        db => Some(db.parse().map_err(|_| {
            format!("the database is {db:?}; write a number after the slash, as in \"redis://host:6379/1\"")
        })?),
    };
    Ok(Url { kind: *kind, addresses, tls: *tls, user, password, db, query })
}

impl Url {
    fn plain(address: RedisAddress) -> Self {
        let (kind, addresses) = (Kind::Plain, vec![address]);
        Self { kind, addresses, tls: false, user: None, password: None, db: None, query: Query::default() }
    }
}

fn socket(rest: &str, query: Query) -> Result<Url, String> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => return Err("a socket needs its whole path; write it as in \"unix:///run/redis.sock\"".into()),
    };
    let (user, password, host) = credentials(authority)?;
    if !host.is_empty() || path.len() < 2 {
        let reason =
            "a socket needs its whole path, with three slashes; write it as in \"unix:///run/redis.sock\"";
        return Err(reason.into());
    }
    let path =
        decoded(path, false).ok_or("the path of the socket has a % that begins no %XX; write % as %25")?;
    Ok(Url { user, password, db: query.db, query, ..Url::plain(RedisAddress::Unix(path)) })
}

/// User, password and what follows them.
fn credentials(authority: &str) -> Result<(Option<String>, Option<String>, &str), String> {
    let Some((credentials, host)) = authority.rsplit_once('@') else { return Ok((None, None, authority)) };
    let (user, password) = match credentials.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (credentials, None),
    };
    let text = |text: &str| {
        decoded(text, false).ok_or("user or password has a % that begins no %XX; write % as %25".to_owned())
    };
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok((some(text(user)?), password.map(text).transpose()?.and_then(some), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> RedisAddress {
        RedisAddress::Tcp(HostPort { host: host.into(), port })
    }

    #[test]
    fn every_form_of_the_reference_is_read() {
        let plain = |text: &str| parse(text).unwrap();
        assert_eq!(plain("a:1").addresses, [tcp("a", 1)]);
        assert_eq!(plain("[::1]:1").addresses, [tcp("::1", 1)]);
        assert_eq!(plain("tcp://a:1").addresses, [tcp("a", 1)]);
        assert_eq!(plain("redis://a").addresses, [tcp("a", 6379)]);
        assert!(!plain("redis://a").tls);
        assert!(plain("rediss://a:1").tls);
        let full = plain("redis://us%40er:p%3Aw@[::1]:7/3?connect_timeout=2s&unknown=1");
        assert_eq!(full.addresses, [tcp("::1", 7)]);
        assert_eq!(
            (full.user.as_deref(), full.password.as_deref(), full.db),
            (Some("us@er"), Some("p:w"), Some(3))
        );
        assert_eq!(plain("redis://:p@a").password.as_deref(), Some("p"));
        assert_eq!(plain("redis://:p@a").user, None);
        assert_eq!(plain("redis://:p@s#@a:1/").password.as_deref(), Some("p@s#"));
    }

    #[test]
    fn clusters_and_sentinels_have_several_addresses() {
        let cluster = parse("redis+cluster://a:1,b:2?addr=c:3&addr=d").unwrap();
        assert_eq!(cluster.kind, Kind::Cluster);
        assert_eq!(cluster.addresses, [tcp("a", 1), tcp("b", 2), tcp("c", 3), tcp("d", 6379)]);
        let sentinel = parse("rediss+sentinel://a?sentinel_master_name=m&addr=b:2").unwrap();
        assert_eq!((sentinel.kind, sentinel.tls), (Kind::Sentinel, true));
        assert_eq!(sentinel.addresses, [tcp("a", 26379), tcp("b", 2)]);
        assert_eq!(sentinel.query.sentinel_master_name.as_deref(), Some("m"));
    }

    #[test]
    fn a_socket_has_a_path_credentials_and_a_database() {
        let socket = parse("unix://u:p@/run/my%20redis.sock?db=2").unwrap();
        assert_eq!(socket.addresses, [RedisAddress::Unix("/run/my redis.sock".into())]);
        assert_eq!(
            (socket.user.as_deref(), socket.password.as_deref(), socket.db),
            (Some("u"), Some("p"), Some(2))
        );
        assert_eq!(socket.addresses[0].to_string(), "unix:///run/my redis.sock");
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_to_write() {
        for (text, hint) in [
            ("", "names no host"),
            ("a", "\"a:6379\""),
            ("::1", "brackets"),
            ("[::1:6379", "bracket"),
            ("[::1]6379", "\"[::1]:6379\""),
            ("a:0", "1 to 65535"),
            ("a:70000", "1 to 65535"),
            ("a b:1", "' '"),
            ("/run/redis.sock", "unix:///run/redis.sock"),
            ("u:p@a:1", "redis://user:password@host:6379"),
            ("http://a:1", "redis+sentinel"),
            ("redis://", "names no host"),
            ("redis://a:1/x", "number after the slash"),
            ("redis://a:1?io_timeout=5", "io_timeout"),
            ("redis://a:1?tls_enabled=yes", "tls_enabled"),
            ("redis://a:1?db=-1", "db"),
            ("redis://u:%zz@a:1", "%25"),
            ("redis://u:se/cret@a:1", "%2F"),
            ("redis://u:se?cret@a:1", "%3F"),
            ("unix://run/redis.sock", "three slashes"),
            ("unix://", "whole path"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(hint), "{text}: {reason}");
            assert!(!reason.contains("cret"), "{text}: {reason}");
        }
    }
}
