//! From the configuration of Redis to what its adapter takes.

use std::sync::Arc;

use anyhow::Context as _;
use flywheel_config::{
    HostPort, RedisAddress, RedisSentinels, RedisServers, RedisSettings, RedisShard, RedisTls, RedisTopology,
};
use flywheel_redis::engine::{RedisOptions, Router};
use flywheel_redis::link::{Endpoint, LinkSettings, Tls, TlsSettings};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};

use crate::pem;

/// Where a server listens.
pub(crate) fn endpoint(address: &RedisAddress) -> Endpoint {
    match address {
        RedisAddress::Tcp(address) => tcp(address),
        RedisAddress::Unix(path) => Endpoint::Unix(path.into()),
    }
}

/// The same for what is always on TCP.
pub(crate) fn tcp(address: &HostPort) -> Endpoint {
    Endpoint::tcp(address.host.clone(), address.port)
}

/// How to talk to the servers of a shard. Reads the files that hold certificates; `keys` is the section that the shard
/// stands in.
///
/// # Errors
/// Names the key of a certificate that cannot be used.
pub(crate) fn link(keys: &str, shard: &RedisShard) -> anyhow::Result<LinkSettings> {
    Ok(LinkSettings {
        tls: tls(&format!("{keys}.tls"), shard.tls.as_ref())?,
        user: shard.user.clone().unwrap_or_default(),
        password: shard.password.clone().unwrap_or_default(),
        db: shard.db,
        client_name: shard.client_name.clone().unwrap_or_default(),
        resp2: shard.force_resp2,
        connect_timeout: shard.connect_timeout,
        ..LinkSettings::default()
    })
}

/// How to talk to the Sentinels of a shard.
///
/// # Errors
/// As [`link`].
pub(crate) fn sentinel_link(
    keys: &str,
    shard: &RedisShard,
    sentinels: &RedisSentinels,
) -> anyhow::Result<LinkSettings> {
    Ok(LinkSettings {
        tls: tls(&format!("{keys}.sentinel_tls"), sentinels.tls.as_ref())?,
        user: sentinels.user.clone().unwrap_or_default(),
        password: sentinels.password.clone().unwrap_or_default(),
        client_name: sentinels.client_name.clone().unwrap_or_default(),
        resp2: shard.force_resp2,
        connect_timeout: shard.connect_timeout,
        ..LinkSettings::default()
    })
}

fn tls(section: &str, settings: Option<&RedisTls>) -> anyhow::Result<Option<Tls>> {
    let Some(settings) = settings else { return Ok(None) };
    let text = |name: &str, value: &Option<String>| -> anyhow::Result<String> {
        let text = value.as_deref().map(pem::resolve).transpose();
        Ok(text.with_context(|| format!("{section}.{name}"))?.unwrap_or_default())
    };
    let settings = TlsSettings {
        server_ca: text("server_ca_pem", &settings.server_ca_pem)?,
        cert: text("cert_pem", &settings.cert_pem)?,
        key: text("key_pem", &settings.key_pem)?,
        server_name: settings.server_name.clone().unwrap_or_default(),
        insecure_skip_verify: settings.insecure_skip_verify,
    };
    Ok(Some(Tls::new(&settings).with_context(|| section.to_owned())?))
}

/// The places that share the channels of a section, in its order; each begins to look for its servers.
///
/// # Errors
/// As [`link`].
pub(crate) fn shards(
    settings: &RedisSettings,
    context: &Context,
) -> anyhow::Result<Vec<(Arc<dyn Router>, LinkSettings)>> {
    let several = settings.shards.iter().enumerate();
    several
        .map(|(number, shard)| {
            let link = link(&settings.key, shard)?;
            let found = Shard::start(
                ShardSettings {
                    keys: settings.key.clone(),
                    name: format!("redis[{number}]"),
                    partitions: settings.sharded_pub_sub_partitions,
                    refresh_interval: settings.topology_refresh_interval,
                    is_strict: settings.topology == RedisTopology::Strict,
                    ..ShardSettings::new(seeds(settings, shard)?, link.clone())
                },
                context,
            );
            Ok((found as Arc<dyn Router>, link))
        })
        .collect()
}

fn seeds(settings: &RedisSettings, shard: &RedisShard) -> anyhow::Result<Seeds> {
    Ok(match &shard.servers {
        RedisServers::Plain(address) => Seeds::Server(endpoint(address)),
        RedisServers::Cluster(nodes) => Seeds::Cluster(nodes.iter().map(tcp).collect()),
        RedisServers::Sentinel(sentinels) => Seeds::Sentinel {
            sentinels: sentinels.addresses.iter().map(tcp).collect(),
            name: sentinels.master_name.clone(),
            settings: Box::new(sentinel_link(&settings.key, shard, sentinels)?),
        },
    })
}

/// How the engine uses them.
pub(crate) fn options(settings: &RedisSettings, keeps_streams: bool) -> RedisOptions {
    let usual = RedisOptions::default();
    RedisOptions {
        prefix: settings.prefix.clone(),
        // One deadline for all shards; a URL can set it for its own, and the longest is meant to be enough.
        command_timeout: settings
            .shards
            .iter()
            .map(|shard| shard.io_timeout)
            .max()
            .unwrap_or(usual.command_timeout),
        history_lists: settings.history_use_lists,
        keeps_streams,
        presence_ttl: if settings.presence.ttl.is_zero() {
            usual.presence_ttl
        } else {
            settings.presence.ttl
        },
        presence_users: settings.presence.user_mapping,
        presence_field_ttl: settings.presence.hash_field_ttl,
        probe_interval: settings.probe_interval,
        ..usual
    }
}
