use std::collections::BTreeSet;

use super::address::{HostPort, RedisAddress};
use super::url::{self, Kind, Url};
use super::{
    RedisPresence, RedisSentinels, RedisServers, RedisSettings, RedisShard, RedisTls, RedisTopology,
};
use crate::view::View;

/// A key of the section that cannot be as it is, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) name: &'static str,
    pub(crate) reason: String,
}

impl RedisSettings {
    /// Reads a section whose shards have been validated.
    pub(in crate::config) fn read(view: &View<'_>) -> Self {
        Self {
            key: view.shown().to_owned(),
            prefix: view.text("prefix").to_owned(),
            shards: shards(view).unwrap_or_default(),
            topology: match view.text("topology") {
                "strict" => RedisTopology::Strict,
                _ => RedisTopology::Auto,
            },
            probe_interval: view.time("probe_interval"),
            topology_refresh_interval: view.time("topology_refresh_interval"),
            sharded_pub_sub_partitions: u16::try_from(view.int("sharded_pub_sub_partitions")).unwrap_or(0),
            history_use_lists: view.is("history_use_lists"),
            presence: RedisPresence {
                ttl: view.time("presence_ttl"),
                hash_field_ttl: view.is("presence_hash_field_ttl"),
                user_mapping: view.is("presence_user_mapping"),
            },
        }
    }
}

/// The shards that the section names: of `cluster_address`, else of `sentinel_address`, else of `address`.
pub(crate) fn shards(view: &View<'_>) -> Result<Vec<RedisShard>, Rejected> {
    let (name, kind) = [("cluster_address", Kind::Cluster), ("sentinel_address", Kind::Sentinel)]
        .into_iter()
        .find(|(name, _)| view.texts(name).iter().any(|text| !text.trim().is_empty()))
        .unwrap_or(("address", Kind::Plain));
    let reject = |reason| Rejected { name, reason };
    let items = view.texts(name);
    // In `address` a comma outside of a URL's list of nodes separates shards.
    let items: Vec<&str> = match kind {
        Kind::Plain => items.iter().flat_map(|text| split(text)).collect(),
        Kind::Cluster | Kind::Sentinel => items,
    };
    let items: Vec<&str> = items.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
    let several = items.len() > 1;
    let mut shards = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    for (at, text) in items.into_iter().enumerate() {
        let url = if kind == Kind::Plain { url::parse(text) } else { nodes(name, kind, text) };
        let url = url.map_err(reject)?;
        let place =
            |address: &RedisAddress| (address.clone(), url.query.sentinel_master_name.clone(), url.db);
        if let Some(taken) = url.addresses.iter().find(|address| seen.contains(&place(address))) {
            return Err(reject(format!("{taken} is there twice; each shard needs servers of its own")));
        }
        seen.extend(url.addresses.iter().map(place));
        let key = if several { format!("{}[{at}]", view.key(name)) } else { view.key(name) };
        shards.push(shard(view, key, url)?);
    }
    if shards.is_empty() {
        return Err(reject("no address is set; write one as in \"redis://127.0.0.1:6379\"".into()));
    }
    Ok(shards)
}

/// The items of one text. URLs of clusters and Sentinels have commas of their own.
fn split(text: &str) -> Vec<&str> {
    let whole = text.contains("+cluster://") || text.contains("+sentinel://");
    if whole { vec![text] } else { text.split(',').collect() }
}

/// The nodes of one cluster, or the Sentinels of one primary.
fn nodes(name: &str, kind: Kind, text: &str) -> Result<Url, String> {
    if text.contains("://") {
        return Err(format!(
            "write host and port of each node here, without a scheme, as in {}",
            example(name)
        ));
    }
    let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
    let addresses = hosts.map(|host| HostPort::parse(host, None).map(RedisAddress::Tcp));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err(format!("no node is named; write {}", example(name)));
    }
    let (tls, query) = (false, super::query::Query::default());
    Ok(Url { kind, addresses, tls, user: None, password: None, db: None, query })
}

fn example(name: &str) -> &'static str {
    if name == "sentinel_address" { "[\"a:26379,b:26379,c:26379\"]" } else { "[\"a:7000,b:7000,c:7000\"]" }
}

fn shard(view: &View<'_>, key: String, url: Url) -> Result<RedisShard, Rejected> {
    let Url { kind, addresses, tls, user, password, db, query } = url;
    // As in the reference: several servers that are no Sentinels are a cluster.
    let (kind, plain) = match (kind, addresses.as_slice()) {
        (Kind::Plain, [one]) => (Kind::Plain, Some(one.clone())),
        (Kind::Plain, _) => (Kind::Cluster, None),
        (kind, _) => (kind, None),
    };
    let db = match db {
        Some(db) => db,
        None => u32::try_from(view.int("db")).map_err(|_| Rejected {
            name: "db",
            reason: format!("{} is no database; write a number from 0", view.int("db")),
        })?,
    };
    if kind == Kind::Cluster && db != 0 {
        let reason = format!(
            "a cluster has database 0 only, and {db} is asked for; write 0, and set prefix to keep applications apart"
        );
        return Err(Rejected { name: "db", reason });
    }
    let tcp = || addresses.iter().filter_map(RedisAddress::tcp).cloned().collect::<Vec<_>>();
    let servers = match (kind, plain) {
        (Kind::Plain, Some(address)) => RedisServers::Plain(address),
        (Kind::Plain | Kind::Cluster, _) => RedisServers::Cluster(tcp()),
        (Kind::Sentinel, _) => RedisServers::Sentinel(RedisSentinels {
            addresses: tcp(),
            master_name: query
                .sentinel_master_name
                .or_else(|| view.some_text("sentinel_master_name"))
                .ok_or_else(|| Rejected {
                    name: "sentinel_master_name",
                    reason: "Sentinels are asked for a primary by name; write the name after `sentinel monitor` in their \
                             configuration, as in \"mymaster\""
                        .into(),
                })?,
            user: query.sentinel_user.or_else(|| view.some_text("sentinel_user")),
            password: query.sentinel_password.or_else(|| view.some_text("sentinel_password")),
            client_name: view.some_text("sentinel_client_name"),
            tls: encryption(&view.section("sentinel_tls"), query.sentinel_tls_enabled == Some(true)),
        }),
    };
    Ok(RedisShard {
        key,
        servers,
        db,
        user: user.or_else(|| view.some_text("user")),
        password: password.or_else(|| view.some_text("password")),
        client_name: view.some_text("client_name"),
        tls: encryption(&view.section("tls"), tls || query.tls_enabled == Some(true)),
        connect_timeout: query.connect_timeout.unwrap_or_else(|| view.time("connect_timeout")),
        io_timeout: query.io_timeout.unwrap_or_else(|| view.time("io_timeout")),
        force_resp2: query.force_resp2.unwrap_or_else(|| view.is("force_resp2")),
    })
}

/// A URL can switch TLS on; what else there is to say about it stands in the section.
fn encryption(view: &View<'_>, asked_for: bool) -> Option<RedisTls> {
    (asked_for || view.is("enabled")).then(|| RedisTls {
        cert_pem: view.some_text("cert_pem"),
        key_pem: view.some_text("key_pem"),
        server_ca_pem: view.some_text("server_ca_pem"),
        insecure_skip_verify: view.is("insecure_skip_verify"),
        server_name: view.some_text("server_name"),
    })
}
