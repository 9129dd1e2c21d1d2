use std::sync::Arc;

use flywheel_model::{ChannelOptions, ChannelRules, DataFormat, RecoveryMode};
use regex::Regex;

use crate::view::View;

/// Reads the section `channel`.
pub(super) fn read(channel: &View<'_>) -> ChannelRules {
    let namespaces = channel.items("namespaces");
    let named = |item: &View<'_>| (item.text("name").to_owned(), Arc::new(options(item, channel)));
    ChannelRules {
        without_namespace: Arc::new(options(&channel.section("without_namespace"), channel)),
        namespaces: namespaces.iter().map(named).collect(),
        private_prefix: channel.text("private_prefix").to_owned(),
        namespace_boundary: channel.text("namespace_boundary").to_owned(),
        user_boundary: channel.text("user_boundary").to_owned(),
        user_separator: channel.text("user_separator").to_owned(),
        max_length: channel.size("max_length"),
    }
}

fn options(view: &View<'_>, channel: &View<'_>) -> ChannelOptions {
    let meta_ttl = view.some_time("history_meta_ttl");
    let format = Some(view.text("publication_data_format")).filter(|format| !format.is_empty());
    ChannelOptions {
        presence: view.is("presence"),
        join_leave: view.is("join_leave"),
        force_push_join_leave: view.is("force_push_join_leave"),
        history_size: view.size("history_size"),
        history_ttl: view.time("history_ttl"),
        history_meta_ttl: meta_ttl.unwrap_or_else(|| channel.time("history_meta_ttl")),
        force_positioning: view.is("force_positioning"),
        allow_positioning: view.is("allow_positioning"),
        force_recovery: view.is("force_recovery"),
        allow_recovery: view.is("allow_recovery"),
        force_recovery_mode: match view.text("force_recovery_mode") {
            "cache" => RecoveryMode::Cache,
            _ => RecoveryMode::Stream,
        },
        auto_cache_recover: view.is("auto_cache_recover"),
        allow_delta: view.texts("allowed_delta_types").contains(&"fossil"),
        allow_tags_filter: view.is("allow_tags_filter"),
        delta_publish: view.is("delta_publish"),
        allow_subscribe_for_anonymous: view.is("allow_subscribe_for_anonymous"),
        allow_subscribe_for_client: view.is("allow_subscribe_for_client"),
        allow_publish_for_anonymous: view.is("allow_publish_for_anonymous"),
        allow_publish_for_subscriber: view.is("allow_publish_for_subscriber"),
        allow_publish_for_client: view.is("allow_publish_for_client"),
        allow_presence_for_anonymous: view.is("allow_presence_for_anonymous"),
        allow_presence_for_subscriber: view.is("allow_presence_for_subscriber"),
        allow_presence_for_client: view.is("allow_presence_for_client"),
        allow_history_for_anonymous: view.is("allow_history_for_anonymous"),
        allow_history_for_subscriber: view.is("allow_history_for_subscriber"),
        allow_history_for_client: view.is("allow_history_for_client"),
        allow_user_limited_channels: view.is("allow_user_limited_channels"),
        // Compiles, or the configuration would have been refused.
        channel_regex: view.some_text("channel_regex").and_then(|pattern| Regex::new(&pattern).ok()),
        publication_data_format: match format.unwrap_or_else(|| channel.text("publication_data_format")) {
            "json" => DataFormat::Json,
            "json_object" => DataFormat::JsonObject,
            "binary" => DataFormat::Binary,
            _ => DataFormat::NotEmpty,
        },
        subscribe_proxy_enabled: view.is("subscribe_proxy_enabled"),
        publish_proxy_enabled: view.is("publish_proxy_enabled"),
        sub_refresh_proxy_enabled: view.is("sub_refresh_proxy_enabled"),
    }
}
