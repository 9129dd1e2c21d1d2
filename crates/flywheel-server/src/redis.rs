//! From the configuration of Redis to what its adapter takes.

use anyhow::Context;
use flywheel_config::{HostPort, RedisAddress, RedisSentinels, RedisShard, RedisTls};
use flywheel_redis::link::{Endpoint, LinkSettings, Tls, TlsSettings};

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
