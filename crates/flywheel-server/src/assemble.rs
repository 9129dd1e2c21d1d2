//! From the configuration to what each part takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use flywheel_api::Endpoints;
use flywheel_auth::Verifier;
use flywheel_config::{Config, ErrorMode, TokenConfig};
use flywheel_node::{Access, Backends, HealthSettings, Scope};
use flywheel_session::{PersonalChannel, Settings};
use flywheel_transport::{DoorSettings, Packing, ReactorSettings};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::{proxies, tokens, transports};

/// Where a duration or number is off, something longer or larger than any operation.
pub(crate) const FOREVER: Duration = Duration::from_hours(8760);
/// Commands in flight when the configuration leaves it to the server.
const COMMANDS_IN_FLIGHT: usize = 256;

pub(crate) fn settings(config: &Config, version: &str, node: &str) -> Settings {
    let client = &config.client;
    let personal = &client.subscribe_to_user_personal_channel;
    Settings {
        version: version.to_owned(),
        node: node.to_owned(),
        unidirectional_disconnects: transports::disconnects(config),
        rules: Arc::new(config.channel.clone()),
        ping_interval: client.ping_interval,
        pong_timeout: client.pong_timeout,
        stale_close_delay: client.stale_close_delay.unwrap_or(FOREVER),
        expired_close_delay: client.expired_close_delay,
        expired_sub_close_delay: client.expired_sub_close_delay,
        channel_limit: client.channel_limit.unwrap_or(usize::MAX),
        queue_bytes_max: queue_bytes_max(config),
        presence_update_interval: client.presence_update_interval.unwrap_or(FOREVER),
        position_check_delay: client.channel_position_check_delay.unwrap_or(FOREVER),
        history_limit: client.history_max_publication_limit,
        recovery_limit: client.recovery_max_publication_limit,
        insecure: client.insecure,
        include_server_time: client.connect_include_server_time,
        personal_channel: personal.enabled.then(|| PersonalChannel {
            namespace: personal.personal_channel_namespace.clone(),
            single_connection: personal.single_connection,
        }),
        rpc: proxies::rpc(config),
        backend: proxies::settings(config),
        one_by_one: client.concurrency <= 1,
        commands_in_flight_max: if client.concurrency == 0 { COMMANDS_IN_FLIGHT } else { client.concurrency },
    }
}

pub(crate) fn health(config: &Config) -> HealthSettings {
    HealthSettings {
        grace: config.readiness.grace,
        scope: if config.readiness.own_faults_only { Scope::Own } else { Scope::Any },
        stuck_after: config.readiness.stuck_after,
        abort_after: config.readiness.abort_after,
        hand_over_after: config.node.hand_over_after,
        delay: config.shutdown.delay,
        spread: config.shutdown.spread,
    }
}

pub(crate) fn queue_bytes_max(config: &Config) -> usize {
    config.client.queue_max_size.unwrap_or(usize::MAX)
}

pub(crate) fn access(config: &Config) -> anyhow::Result<Access> {
    let client = &config.client;
    let verifier = |section: &str, token: &TokenConfig| -> anyhow::Result<Arc<Verifier>> {
        tokens::verifier(section, token, client.insecure_skip_token_signature_verify).map(Arc::new)
    };
    let subscription = client.subscription_token.as_ref();
    Ok(Access {
        connection: verifier("token", &client.token)?,
        subscription: subscription.map(|token| verifier("subscription_token", token)).transpose()?,
        anonymous_without_token: client.allow_anonymous_connect_without_token,
        refuse_anonymous_tokens: client.disallow_anonymous_connection_tokens,
        insecure: client.insecure,
        user_connection_limit: client.user_connection_limit,
        backends: Backends::default(),
    })
}

/// Patterns over the whole lower-cased text of an origin, where `*` stands for anything.
pub(crate) fn origins(config: &Config) -> anyhow::Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in &config.client.allowed_origins {
        let glob = GlobBuilder::new(&pattern.to_lowercase()).literal_separator(false).build();
        set.add(glob.with_context(|| format!("client.allowed_origins: {pattern}"))?);
    }
    Ok(set.build()?)
}

pub(crate) fn door(config: &Config) -> anyhow::Result<DoorSettings> {
    let rate = config.client.connection_rate_limit;
    Ok(DoorSettings {
        endpoints: transports::endpoints(config),
        emulation: transports::emulation(config),
        origins: origins(config)?,
        connection_limit: config.client.connection_limit,
        connection_rate_limit: rate.map(|rate| u32::try_from(rate).unwrap_or(u32::MAX)),
        user_id_header: config.client.user_id_http_header.clone(),
        kept_headers: config.proxies.http_headers(),
    })
}

pub(crate) fn reactor() -> ReactorSettings {
    ReactorSettings {
        // Source: configuration-v6, section 3.1.
        handshake_timeout: Duration::from_secs(10),
        limits: Arc::default(),
    }
}

/// How messages are compressed for the clients that agree to it. A shard compresses a message once for all of them, so
/// clients that only listen share the level and the threshold of the others, where there are others.
pub(crate) fn packing(config: &Config) -> Packing {
    let both_ways = config.websocket.compression.filter(|_| !config.websocket.disabled);
    both_ways.or(config.uni_websocket.compression).map_or_else(Packing::default, |compression| Packing {
        level: compression.level,
        min_size: compression.min_size,
    })
}

pub(crate) fn endpoints(config: &Config, dev: bool) -> anyhow::Result<Endpoints> {
    let path =
        |endpoint: &flywheel_config::Endpoint| endpoint.enabled.then(|| endpoint.handler_prefix.clone());
    Ok(Endpoints {
        api: (!config.http_api.disabled).then(|| config.http_api.handler_prefix.clone()),
        transport_errors: config.http_api.error_mode == ErrorMode::Transport,
        metrics: path(&config.prometheus),
        health: path(&config.health),
        init: path(&config.init),
        page: dev.then_some(crate::dev::PAGE),
        origins: origins(config)?,
    })
}

/// The address of the external listener, and that of the internal one if it is another.
pub(crate) fn addresses(config: &Config) -> anyhow::Result<(SocketAddr, Option<SocketAddr>)> {
    let server = &config.http_server;
    let external = address("http_server.address", &server.address, server.port)?;
    let host = if server.internal_address.is_empty() { &server.address } else { &server.internal_address };
    let internal =
        address("http_server.internal_address", host, server.internal_port.unwrap_or(server.port))?;
    Ok((external, (internal != external).then_some(internal)))
}

/// An empty host means every address of the machine, of both families where there are both.
fn address(key: &str, host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    if host.is_empty() {
        let both = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        let usable = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
        return Ok(if usable { both } else { SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port) });
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut found = (host, port).to_socket_addrs().with_context(|| format!("{key}: {host}"))?;
    match found.next() {
        Some(address) => Ok(address),
        None => bail!("{key}: {host} has no address"),
    }
}
