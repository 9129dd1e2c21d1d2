//! Namespaces and their options.

use super::Check;
use crate::duration::{self, SECOND};
use crate::view::View;

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let channel = tree.section("channel");
    whole_seconds(check, &channel, "history_meta_ttl");
    if channel.int("max_length") < 0 {
        check.refuse(&channel, "max_length", "write the longest length in bytes");
    }
    let namespaces = channel.items("namespaces");
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    check.names(&namespaces, "A-Z a-z 0-9 - _ .", is_letter, "");
    check.names(&tree.items("rpc.namespaces"), "A-Z a-z 0-9 - _ .", is_letter, "");
    options(check, &channel.section("without_namespace"), tree);
    for namespace in &namespaces {
        options(check, namespace, tree);
    }
    personal_channel(check, tree);
}

fn options(check: &mut Check<'_>, options: &View<'_>, tree: &View<'_>) {
    history(check, options, tree);
    check.pattern(options, "channel_regex");
    for delta in options.texts("allowed_delta_types") {
        if delta != "fossil" {
            check.refuse(options, "allowed_delta_types", format!("{delta:?} is unknown; write \"fossil\""));
        }
    }
    map(check, options);
    for (prefix, wanted) in [
        ("map_clients_presence_channel_prefix", "map_clients"),
        ("map_users_presence_channel_prefix", "map_users"),
    ] {
        mirrored_presence(check, options, tree, prefix, wanted);
    }
    if options.text("subscription_type") == "shared_poll"
        && tree.text("shared_poll.hmac_secret_key").is_empty()
    {
        check.refuse(options, "subscription_type", "shared_poll needs a shared_poll.hmac_secret_key");
    }
    let poll = options.section("shared_poll");
    if poll.is("publish_enabled") && poll.text("mode") != "versioned" {
        check.refuse(&poll, "publish_enabled", "it needs mode \"versioned\"");
    }
}

fn history(check: &mut Check<'_>, options: &View<'_>, tree: &View<'_>) {
    let (size, ttl) = (options.int("history_size"), options.nanoseconds("history_ttl"));
    for name in ["history_ttl", "history_meta_ttl"] {
        whole_seconds(check, options, name);
    }
    if size < 0 {
        check.refuse(options, "history_size", "write how many publications to keep, or 0 for none");
    } else if size > 0 && ttl <= 0 {
        check.refuse(options, "history_size", "it needs a history_ttl, as in \"300s\"; set both or neither");
    } else if size == 0 && ttl > 0 {
        check.refuse(options, "history_ttl", "it needs a history_size, as in 100; set both or neither");
    }
    let own = options.nanoseconds("history_meta_ttl");
    let (meta, whose) = match own {
        0 => (tree.nanoseconds("channel.history_meta_ttl"), "channel.history_meta_ttl"),
        own => (own, "history_meta_ttl"),
    };
    if meta < ttl {
        let (ttl, meta) = (duration::format(ttl), duration::format(meta));
        let reason = format!("{ttl} is longer than {whose}, which is {meta}; make that at least as long");
        check.refuse(options, "history_ttl", reason);
    }
    if options.is("force_recovery") && (size <= 0 || ttl <= 0) {
        check.refuse(options, "force_recovery", "it needs history; set history_size and history_ttl");
    }
    if options.is("auto_cache_recover") {
        if !options.is("force_recovery") {
            check.refuse(options, "auto_cache_recover", "it needs force_recovery");
        } else if options.text("force_recovery_mode") != "cache" {
            check.refuse(options, "auto_cache_recover", "it needs force_recovery_mode \"cache\"");
        }
    }
}

fn whole_seconds(check: &mut Check<'_>, section: &View<'_>, name: &str) {
    let time = section.nanoseconds(name);
    if time < 0 {
        check.refuse(section, name, "a time cannot be negative; write 0s or more");
    } else if time % SECOND != 0 {
        let reason =
            format!("{} is no whole number of seconds; write \"1s\" or more", duration::format(time));
        check.refuse(section, name, reason);
    }
}

fn map(check: &mut Check<'_>, options: &View<'_>) {
    let map = options.section("map");
    let kind = options.text("subscription_type");
    let is_map = kind.starts_with("map");
    if map.is("remove_client_on_unsubscribe") && !is_map {
        check.refuse(&map, "remove_client_on_unsubscribe", "it needs a subscription_type that is a map");
    }
    let (mode, key_ttl) = (map.text("mode"), map.nanoseconds("key_ttl"));
    match mode {
        "" if is_map => {
            check.refuse(&map, "mode", "a map needs a mode: ephemeral, recoverable or persistent");
        }
        "" => return,
        "persistent" if key_ttl != 0 => {
            check.refuse(&map, "key_ttl", "keys of a persistent map do not expire; remove it");
        }
        "persistent" if matches!(kind, "map_clients" | "map_users") => {
            check.refuse(
                &map,
                "mode",
                format!("{kind} cannot be persistent; write ephemeral or recoverable"),
            );
        }
        "ephemeral" | "recoverable" if key_ttl <= 0 => {
            check.refuse(&map, "key_ttl", format!("mode {mode} needs it, as in \"60s\""));
        }
        _ => {}
    }
    let stream = ["stream_size", "stream_ttl", "meta_ttl"];
    if mode == "ephemeral" {
        for name in stream {
            if map.int(name) != 0 || map.nanoseconds(name) != 0 {
                check.refuse(&map, name, "an ephemeral map has no stream; remove it or use mode recoverable");
            }
        }
    }
    let meta = map.nanoseconds("meta_ttl");
    let stream_ttl = Some(map.nanoseconds("stream_ttl")).filter(|ttl| *ttl != 0).unwrap_or(60 * SECOND);
    if meta != 0 && meta < stream_ttl {
        let reason =
            format!("it must not be shorter than stream_ttl, which is {}", duration::format(stream_ttl));
        check.refuse(&map, "meta_ttl", reason);
    }
    if !map.text("client_key").is_empty()
        && (map.is("publish_proxy_enabled") || map.is("remove_proxy_enabled"))
    {
        check.refuse(&map, "client_key", "it does not go with a proxy; remove one of them");
    }
    pages(check, &map);
}

fn pages(check: &mut Check<'_>, map: &View<'_>) {
    let sizes = ["min_page_size", "default_page_size", "max_page_size"].map(|name| (name, map.int(name)));
    // One that is not set adapts to the others.
    let set: Vec<(&str, i64)> = sizes.into_iter().filter(|(_, size)| *size != 0).collect();
    for (name, size) in &set {
        if *size < 0 {
            check.refuse(map, name, format!("{size} is no size; write how many keys"));
        }
    }
    for pair in set.windows(2) {
        if pair[0].1 > pair[1].1 {
            let reason = format!("{} is more than {}, which is {}", pair[0].1, pair[1].0, pair[1].1);
            check.refuse(map, pair[0].0, reason);
        }
    }
}

fn mirrored_presence(check: &mut Check<'_>, options: &View<'_>, tree: &View<'_>, name: &str, wanted: &str) {
    let prefix = options.text(name);
    if prefix.is_empty() {
        return;
    }
    let bare = prefix.strip_prefix(tree.text("channel.private_prefix")).unwrap_or(prefix);
    let namespaces = tree.items("channel.namespaces");
    let target = match bare.split_once(tree.text("channel.namespace_boundary")) {
        Some((namespace, _)) => namespaces.into_iter().find(|item| item.text("name") == namespace),
        None => Some(tree.section("channel.without_namespace")),
    };
    let reason = match target {
        None => format!("{prefix:?} leads to a namespace that is not there; add it to channel.namespaces"),
        Some(target) if target.text("subscription_type") != wanted => {
            format!("{} needs subscription_type {wanted:?} for this", target.shown())
        }
        Some(_) => return,
    };
    check.refuse(options, name, reason);
}

fn personal_channel(check: &mut Check<'_>, tree: &View<'_>) {
    let personal = tree.section("client.subscribe_to_user_personal_channel");
    let name = personal.text("personal_channel_namespace");
    let namespaces = tree.items("channel.namespaces");
    let (enabled, single) = (personal.is("enabled"), personal.is("single_connection"));
    let namespace = if name.is_empty() {
        Some(tree.section("channel.without_namespace"))
    } else {
        namespaces.into_iter().find(|item| item.text("name") == name)
    };
    match namespace {
        None if enabled => {
            let reason = format!("{name:?} is not there; add it to channel.namespaces or name another");
            check.refuse(&personal, "personal_channel_namespace", reason);
        }
        Some(namespace) if single && (enabled || name.is_empty()) && !namespace.is("presence") => {
            let reason = format!("it needs presence; set {}", namespace.key("presence"));
            check.refuse(&personal, "single_connection", reason);
        }
        _ => {}
    }
}
