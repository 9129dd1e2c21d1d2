//! From the configuration of proxies to backends.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use flywheel_config::{Config, Proxy, StatusMeaning, StatusTransform};
use flywheel_engine::{Backend, BackendError, NoBackend};
use flywheel_metrics::{Metrics, ProxyEvent};
use flywheel_node::Backends;
use flywheel_proxy::{HttpBackend, ProxySettings};
use flywheel_runtime::Clock;
use flywheel_session::{BackendSettings, RpcSettings};

/// What sessions must know of them.
pub(crate) fn settings(config: &Config) -> BackendSettings {
    BackendSettings {
        connect: config.proxies.connect.is_some(),
        refresh: config.proxies.refresh.is_some(),
        emulated_headers: config.proxies.emulated_headers(),
    }
}

/// Which procedures there are.
pub(crate) fn rpc(config: &Config) -> RpcSettings {
    let served = &config.proxies.rpc;
    let namespaces = config.rpc.namespaces.iter();
    RpcSettings {
        ping_method: config.rpc.ping.enabled.then(|| config.rpc.ping.method.clone()),
        namespace_boundary: config.rpc.namespace_boundary.clone(),
        without_namespace: served.contains_key(""),
        namespaces: namespaces.map(|name| (name.clone(), served.contains_key(name.as_str()))).collect(),
    }
}

/// The backends that the configuration names. Nothing is connected yet.
///
/// Namespaces that share a proxy share its bounds on calls, per kind of event.
pub(crate) fn backends(config: &Config, metrics: &Metrics, clock: &Clock) -> anyhow::Result<Backends> {
    let one = |event, proxy: &Arc<Proxy>| backend(event, proxy, metrics, clock);
    let many = |event, proxies: &BTreeMap<String, Arc<Proxy>>| {
        let mut made = BTreeMap::<&str, Arc<dyn Backend>>::new();
        let mut backends = BTreeMap::new();
        for (namespace, proxy) in proxies {
            let backend = match made.get(proxy.name.as_str()) {
                Some(backend) => Arc::clone(backend),
                None => one(event, proxy)?,
            };
            made.insert(&proxy.name, Arc::clone(&backend));
            backends.insert(namespace.clone(), backend);
        }
        anyhow::Ok(backends)
    };
    let proxies = &config.proxies;
    Ok(Backends {
        connect: proxies.connect.as_ref().map(|proxy| one(ProxyEvent::Connect, proxy)).transpose()?,
        refresh: proxies.refresh.as_ref().map(|proxy| one(ProxyEvent::Refresh, proxy)).transpose()?,
        subscribe: many(ProxyEvent::Subscribe, &proxies.subscribe)?,
        publish: many(ProxyEvent::Publish, &proxies.publish)?,
        sub_refresh: many(ProxyEvent::SubRefresh, &proxies.sub_refresh)?,
        rpc: many(ProxyEvent::Rpc, &proxies.rpc)?,
    })
}

fn backend(
    event: ProxyEvent,
    proxy: &Proxy,
    metrics: &Metrics,
    clock: &Clock,
) -> anyhow::Result<Arc<dyn Backend>> {
    if !proxy.is_http() {
        let (key, event) = (&proxy.key, event.as_str());
        tracing::warn!(key, event, "a proxy without an HTTP endpoint: what it would decide is refused");
        return Ok(Arc::new(NoBackend));
    }
    let settings = ProxySettings {
        static_headers: proxy.static_headers.clone().into_iter().collect(),
        http_headers: proxy.http_headers.clone(),
        emulated_headers: proxy.emulated_headers.clone(),
        binary_encoding: proxy.binary_encoding,
        include_meta: proxy.include_connection_meta,
        transforms: proxy.status_to_code_transforms.iter().filter_map(transform).collect(),
        ..ProxySettings::new(&proxy.name, &proxy.endpoint, proxy.timeout)
    };
    let made = HttpBackend::new(settings, event, metrics, clock.clone());
    Ok(Arc::new(made.with_context(|| proxy.key.clone())?))
}

/// `None` for a status that no response can have.
fn transform(transform: &StatusTransform) -> Option<flywheel_proxy::StatusTransform> {
    let becomes = match transform.to.clone() {
        StatusMeaning::Error { code, message, temporary } => BackendError::Error { code, message, temporary },
        StatusMeaning::Disconnect { code, reason } => BackendError::Disconnect { code, reason },
    };
    Some(flywheel_proxy::StatusTransform { status: u16::try_from(transform.status_code).ok()?, becomes })
}
