//! `channel`: namespaces and their options.

use super::blocks::PROXY;
use super::entry::{Fragment, block, choice, flag, int, list, text, texts, time};
use super::words;

pub(super) const CHANNEL: Fragment = &[
    block(
        "proxy",
        &[&[
            block("subscribe", &[PROXY]),
            block("publish", &[PROXY]),
            block("sub_refresh", &[PROXY]),
            block("subscribe_stream", &[PROXY]),
            block("map_publish", &[PROXY]),
            block("map_remove", &[PROXY]),
            block("shared_poll_refresh", &[PROXY]),
        ]],
    ),
    block("without_namespace", &[OPTIONS]),
    list("namespaces", &[NAME, OPTIONS], "Rule sets of the channels whose name starts with theirs."),
    time(
        "history_meta_ttl",
        "720h",
        "How long offset and epoch outlive the history, unless a namespace says otherwise.",
    ),
    choice(
        "publication_data_format",
        words::DATA_FORMATS,
        "",
        "What payloads must be, unless a namespace says otherwise.",
    ),
    int("max_length", 255, "Longest channel name in bytes."),
    text("private_prefix", "$", "Channels that start with it need a subscription token."),
    text("namespace_boundary", ":", "Ends the namespace's name."),
    text("user_boundary", "#", "Starts the list of users who may subscribe."),
    text("user_separator", ",", "Stands between those users."),
];

const NAME: Fragment =
    &[text("name", "", "Name of the namespace: at least two letters, digits, `-`, `_` or `.`.")];

const OPTIONS: Fragment = &[
    flag("presence", "Know who is subscribed."),
    flag("join_leave", "Announce who comes and goes."),
    flag("force_push_join_leave", "Announce it to every subscriber, asked or not."),
    text(
        "map_clients_presence_channel_prefix",
        "",
        "Mirror subscribers by client in the map channel of this prefix.",
    ),
    text(
        "map_users_presence_channel_prefix",
        "",
        "Mirror subscribers by user in the map channel of this prefix.",
    ),
    int("history_size", 0, "Publications kept; needs `history_ttl`."),
    time("history_ttl", "0s", "How long they are kept, in whole seconds; needs `history_size`."),
    time("history_meta_ttl", "0s", "How long offset and epoch are kept; 0 takes `channel.history_meta_ttl`."),
    flag("force_positioning", "Watch the position of every subscriber and make it catch up after a gap."),
    flag("allow_positioning", "Let a client ask for that."),
    flag("force_recovery", "Let every subscriber catch up on what it missed; needs history."),
    flag("allow_recovery", "Let a client ask for that."),
    choice(
        "force_recovery_mode",
        words::RECOVERY_MODES,
        "",
        "Catch up on all of it (`stream`, also when empty) or on the newest only (`cache`).",
    ),
    flag(
        "auto_cache_recover",
        "Send the newest publication on every subscribe; needs `force_recovery` and mode `cache`.",
    ),
    texts("allowed_delta_types", "Kinds of delta a client may negotiate; `fossil` is the only one."),
    flag("allow_tags_filter", "Let a client filter publications by their tags."),
    flag("delta_publish", "Treat every publication as a candidate for a delta."),
    flag("allow_subscribe_for_anonymous", "Extend `allow_subscribe_for_client` to clients without a user."),
    flag("allow_subscribe_for_client", "Let clients subscribe without a token."),
    flag("allow_publish_for_anonymous", "Extend publishing to clients without a user."),
    flag("allow_publish_for_subscriber", "Let subscribers publish."),
    flag("allow_publish_for_client", "Let every client publish."),
    flag("allow_presence_for_anonymous", "Extend presence to clients without a user."),
    flag("allow_presence_for_subscriber", "Let subscribers ask for presence."),
    flag("allow_presence_for_client", "Let every client ask for presence."),
    flag("allow_history_for_anonymous", "Extend history to clients without a user."),
    flag("allow_history_for_subscriber", "Let subscribers ask for the history."),
    flag("allow_history_for_client", "Let every client ask for the history."),
    flag("allow_user_limited_channels", "Let a name list its subscribers, as in `dialog#42,43`."),
    text("channel_regex", "", "Pattern of the name after the namespace; without one, names must be ASCII."),
    choice(
        "publication_data_format",
        words::DATA_FORMATS,
        "",
        "What payloads must be; empty takes `channel.publication_data_format`.",
    ),
    flag("subscribe_proxy_enabled", "Ask the backend on subscribe."),
    text("subscribe_proxy_name", "default", "Which proxy to ask."),
    flag("publish_proxy_enabled", "Ask the backend on publish."),
    text("publish_proxy_name", "default", "Which proxy to ask."),
    flag("sub_refresh_proxy_enabled", "Ask the backend when a subscription expires."),
    text("sub_refresh_proxy_name", "default", "Which proxy to ask."),
    flag(
        "subscribe_stream_proxy_enabled",
        "Take publications from a stream of the backend; not with the proxies above.",
    ),
    text("subscribe_stream_proxy_name", "default", "Which proxy to ask."),
    flag("subscribe_stream_proxy_bidirectional", "Send the client's publications up that stream."),
    choice(
        "subscription_type",
        words::SUBSCRIPTION_TYPES,
        "",
        "What a subscription carries; empty means `stream`.",
    ),
    block("map", &[MAP]),
    block("shared_poll", &[SHARED_POLL]),
];

const MAP: Fragment = &[
    choice("mode", words::MAP_MODES, "", "How long the map lives; map types need one."),
    time("key_ttl", "0s", "Life of a key; needed unless the mode is `persistent`."),
    int("stream_size", 0, "Changes kept; 0 means 100."),
    time("stream_ttl", "0s", "How long they are kept; 0 means one minute."),
    time("meta_ttl", "0s", "How long offset and epoch are kept; 0 means ten times `stream_ttl`."),
    flag("remove_client_on_unsubscribe", "Remove a client's own key when it leaves."),
    choice("client_key", words::CLIENT_KEYS, "", "Which key a client's writes go to, whatever it asks for."),
    flag("allow_publish_for_client", "Let every client write."),
    flag("allow_publish_for_subscriber", "Let subscribers write."),
    flag("allow_publish_for_anonymous", "Extend writing to clients without a user."),
    flag("allow_remove_for_client", "Let every client remove keys."),
    flag("allow_remove_for_subscriber", "Let subscribers remove keys."),
    flag("allow_remove_for_anonymous", "Extend removing to clients without a user."),
    flag("publish_proxy_enabled", "Ask the backend about writes."),
    text("publish_proxy_name", "default", "Which proxy to ask."),
    flag("remove_proxy_enabled", "Ask the backend about removals."),
    text("remove_proxy_name", "default", "Which proxy to ask."),
    int("default_page_size", 0, "Keys per page when the client names no number; 0 means 100."),
    int("min_page_size", 0, "Fewest keys per page; 0 means 100."),
    int("max_page_size", 0, "Most keys per page; 0 means 1000."),
    int(
        "live_transition_max_publication_limit",
        0,
        "Most publications held back while a client catches up; 0 means no limit.",
    ),
    time("subscribe_catch_up_timeout", "0s", "Longest time to catch up; 0 means five seconds."),
];

const SHARED_POLL: Fragment = &[
    text("proxy_name", "", "Proxy to poll; empty means `default`."),
    time("refresh_interval", "0s", "Pause between polls; 0 means ten seconds."),
    int("refresh_batch_size", 0, "Keys per poll; 0 means 1000."),
    int("max_keys_per_connection", 0, "Keys one client may track; 0 means 5000."),
    choice("mode", words::POLL_MODES, "", "How changes are noticed; empty means `versionless`."),
    time("channel_shutdown_delay", "0s", "How long an unwatched channel lingers; 0 means one second."),
    time("track_expired_extra_delay", "0s", "Grace for an expired track signature; 0 means 25 seconds."),
    flag("publish_enabled", "Accept publications from the server API; needs mode `versioned`."),
];
