//! Backends and who refers to them.

use super::Check;
use crate::config::is_http;
use crate::report::Warning;
use crate::view::View;

/// A reference to a proxy: the key that switches it on, the key that names it, and the section of `default`.
struct Reference {
    enabled: &'static str,
    name: &'static str,
    default: &'static str,
}

const fn reference(enabled: &'static str, name: &'static str, default: &'static str) -> Reference {
    Reference { enabled, name, default }
}

const REFERENCES: [Reference; 6] = [
    reference("subscribe_proxy_enabled", "subscribe_proxy_name", "channel.proxy.subscribe"),
    reference("publish_proxy_enabled", "publish_proxy_name", "channel.proxy.publish"),
    reference("sub_refresh_proxy_enabled", "sub_refresh_proxy_name", "channel.proxy.sub_refresh"),
    reference(
        "subscribe_stream_proxy_enabled",
        "subscribe_stream_proxy_name",
        "channel.proxy.subscribe_stream",
    ),
    reference("map.publish_proxy_enabled", "map.publish_proxy_name", "channel.proxy.map_publish"),
    reference("map.remove_proxy_enabled", "map.remove_proxy_name", "channel.proxy.map_remove"),
];

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let proxies = tree.items("proxies");
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    check.names(&proxies, "A-Z a-z 0-9 - _ .", is_letter, "default");
    for proxy in &proxies {
        reachable(check, proxy);
    }
    for name in ["connect", "refresh"] {
        let proxy = tree.section(&format!("client.proxy.{name}"));
        if proxy.is("enabled") {
            reachable(check, &proxy);
        }
    }
    for options in namespaces(tree) {
        let shared_poll = options.text("subscription_type") == "shared_poll";
        channel_proxies(check, tree, &options);
        let name = Some(options.text("shared_poll.proxy_name")).filter(|name| !name.is_empty());
        let section = options.section("shared_poll");
        let name = name.unwrap_or("default");
        refer(
            check,
            tree,
            &section,
            "proxy_name",
            name,
            shared_poll,
            Some("channel.proxy.shared_poll_refresh"),
        );
    }
    let rpc = tree.items("rpc.namespaces").into_iter().chain([tree.section("rpc.without_namespace")]);
    for options in rpc {
        refer(
            check,
            tree,
            &options,
            "proxy_name",
            options.text("proxy_name"),
            options.is("proxy_enabled"),
            None,
        );
    }
    for section in every_default_proxy(tree) {
        transforms(check, &section);
    }
    for proxy in &proxies {
        transforms(check, proxy);
    }
}

fn channel_proxies(check: &mut Check<'_>, tree: &View<'_>, options: &View<'_>) {
    for Reference { enabled, name, default } in &REFERENCES {
        let (section, local) = match name.split_once('.') {
            Some((block, local)) => (options.section(block), local),
            None => (options.clone(), *name),
        };
        refer(check, tree, &section, local, options.text(name), options.is(enabled), Some(default));
    }
    if options.is("subscribe_stream_proxy_enabled") {
        for Reference { enabled, .. } in &REFERENCES[..3] {
            if options.is(enabled) {
                check.refuse(
                    options,
                    "subscribe_stream_proxy_enabled",
                    format!("it does not go with {enabled}"),
                );
            }
        }
        let name = options.text("subscribe_stream_proxy_name");
        let endpoint = if name == "default" {
            tree.text("channel.proxy.subscribe_stream.endpoint")
        } else {
            named(tree, name).map_or("", |proxy| proxy.text("endpoint"))
        };
        if !endpoint.is_empty() && !endpoint.starts_with("grpc://") {
            let reason = format!("proxy {name:?} must have a grpc:// endpoint");
            check.refuse(options, "subscribe_stream_proxy_name", reason);
        }
    }
}

/// Checks one reference by name. Names must exist even when nobody asks the proxy.
fn refer(
    check: &mut Check<'_>,
    tree: &View<'_>,
    section: &View<'_>,
    key: &str,
    name: &str,
    enabled: bool,
    default: Option<&str>,
) {
    if name == "default" || (name.is_empty() && !enabled) {
        if let Some(default) = default.filter(|_| enabled && !name.is_empty()) {
            reachable_once(check, &tree.section(default));
        }
    } else if named(tree, name).is_none() {
        let reason = format!("there is no proxy {name:?}; add it to proxies or name another");
        check.refuse(section, key, reason);
    }
}

fn named<'a>(tree: &View<'a>, name: &str) -> Option<View<'a>> {
    tree.items("proxies").into_iter().find(|proxy| proxy.text("name") == name)
}

fn namespaces<'a>(tree: &View<'a>) -> Vec<View<'a>> {
    let mut namespaces = vec![tree.section("channel.without_namespace")];
    namespaces.extend(tree.items("channel.namespaces"));
    namespaces
}

fn every_default_proxy<'a>(tree: &View<'a>) -> Vec<View<'a>> {
    let channel = [
        "subscribe",
        "publish",
        "sub_refresh",
        "subscribe_stream",
        "map_publish",
        "map_remove",
        "shared_poll_refresh",
    ];
    let mut sections = vec![tree.section("client.proxy.connect"), tree.section("client.proxy.refresh")];
    sections.extend(channel.iter().map(|name| tree.section(&format!("channel.proxy.{name}"))));
    sections.push(tree.section("rpc.proxy"));
    sections
}

/// Several namespaces may refer to the same default proxy; one report is enough.
fn reachable_once(check: &mut Check<'_>, proxy: &View<'_>) {
    let key = proxy.key("endpoint");
    if check.report.errors.iter().all(|error| error.key() != key) {
        reachable(check, proxy);
    }
}

fn reachable(check: &mut Check<'_>, proxy: &View<'_>) {
    if proxy.text("endpoint").is_empty() {
        check.refuse(
            proxy,
            "endpoint",
            "the proxy is used and needs one, as in \"http://127.0.0.1:3000/connect\"",
        );
    }
    let endpoint = proxy.text("endpoint");
    if !endpoint.is_empty() && !is_http(endpoint) {
        let key = proxy.key("endpoint");
        let origin = check.merged.origin(&key).cloned();
        let detail = "gRPC; what this backend would decide is refused".to_owned();
        check.report.warnings.push(Warning::NotSupported { origin, key, detail });
    }
    if proxy.nanoseconds("timeout") <= 0 {
        check.refuse(proxy, "timeout", "a call needs time; write a duration, as in \"1s\"");
    }
}

fn transforms(check: &mut Check<'_>, proxy: &View<'_>) {
    for transform in proxy.items("http.status_to_code_transforms") {
        if transform.int("status_code") == 0 {
            check.refuse(&transform, "status_code", "write the HTTP status to match");
        }
        let (error, disconnect) = (transform.section("to_error"), transform.section("to_disconnect"));
        let (is_error, is_disconnect) = (error.int("code") != 0, disconnect.int("code") != 0);
        if is_error == is_disconnect {
            let reason = "write the code of either to_error or to_disconnect";
            check.refuse(&error, "code", reason);
        }
        for (section, name) in [(&error, "message"), (&disconnect, "reason")] {
            let text = section.text(name);
            if !text.is_ascii() || text.len() > 123 {
                check.refuse(section, name, "write at most 123 bytes of ASCII");
            }
        }
    }
}
