//! `client`, `rpc` and `proxies`.

use super::blocks::{ENABLED, PROXY, TOKEN};
use super::entry::{Fragment, block, flag, int, list, text, texts, time, uint32};

pub(super) const CLIENT: Fragment = &[
    block("proxy", &[&[block("connect", &[ENABLED, PROXY]), block("refresh", &[ENABLED, PROXY])]]),
    texts(
        "allowed_origins",
        "Patterns of the Origin that browsers may come from; none refuses all browsers, `*` admits all.",
    ),
    block("token", &[TOKEN]),
    block(
        "subscription_token",
        &[&[flag("enabled", "Check subscription tokens with keys of their own.")], TOKEN],
    ),
    flag("allow_anonymous_connect_without_token", "Admit clients that send no token, as nobody."),
    flag("disallow_anonymous_connection_tokens", "Refuse tokens that name no user."),
    time("ping_interval", "25s", "Pause between pings; must be longer than `pong_timeout`."),
    time("pong_timeout", "8s", "How long a client may take to answer a ping; negative waits for ever."),
    time("expired_close_delay", "25s", "Grace for renewing an expired connection."),
    time("expired_sub_close_delay", "25s", "Grace for renewing an expired subscription."),
    time("stale_close_delay", "10s", "Time in which a client must send connect; 0 gives it for ever."),
    int("channel_limit", 128, "Most subscriptions of one connection."),
    int("queue_max_size", 1_048_576, "Bytes that may wait for one connection before it is closed as slow."),
    time("presence_update_interval", "27s", "Pause between renewals of presence."),
    int("concurrency", 0, "Commands of one connection handled at a time; 0 means one by one."),
    time("channel_position_check_delay", "40s", "Pause between checks of a subscriber's position."),
    time(
        "channel_position_max_time_lag",
        "0s",
        "Lag of the broker that makes subscribers resubscribe; 0 does not look.",
    ),
    int("connection_limit", 0, "Most connections of a node; 0 means no limit."),
    int("user_connection_limit", 0, "Most connections of one user on a node; 0 means no limit."),
    int(
        "connection_rate_limit",
        0,
        "Size of the bucket that new connections are taken from; 0 means no limit.",
    ),
    flag("connect_include_server_time", "Tell the client our time when it connects."),
    int("history_max_publication_limit", 300, "Most publications in one history reply."),
    int("recovery_max_publication_limit", 300, "Most publications a client may catch up on."),
    flag(
        "insecure_skip_token_signature_verify",
        "Believe tokens without checking who signed them. For tests only.",
    ),
    text("user_id_http_header", "", "Header whose value is believed to be the user."),
    flag("insecure", "Admit everybody to everything. For tests only."),
    block(
        "subscribe_to_user_personal_channel",
        &[&[
            flag("enabled", "Subscribe each user to a channel of its own."),
            text("personal_channel_namespace", "", "Namespace of that channel."),
            flag("single_connection", "Close a user's older connections; needs presence in that namespace."),
        ]],
    ),
    block(
        "connect_code_to_unidirectional_disconnect",
        &[&[
            flag("enabled", "Translate connect errors for unidirectional transports."),
            list(
                "transforms",
                &[&[
                    uint32("code", "Connect error to match."),
                    block(
                        "to",
                        &[&[
                            uint32("code", "Disconnect code to send."),
                            text("reason", "", "ASCII reason to send."),
                        ]],
                    ),
                ]],
                "Which error becomes which disconnect.",
            ),
        ]],
    ),
];

const RPC_OPTIONS: Fragment = &[
    flag("proxy_enabled", "Pass these methods to the backend."),
    text("proxy_name", "default", "Which proxy to ask."),
];

pub(super) const RPC: Fragment = &[
    block("proxy", &[PROXY]),
    block("without_namespace", &[RPC_OPTIONS]),
    list(
        "namespaces",
        &[&[text("name", "", "First part of the methods' names.")], RPC_OPTIONS],
        "Rule sets of the methods whose name starts with theirs.",
    ),
    block(
        "ping",
        &[&[
            flag("enabled", "Answer a method of our own, with nothing."),
            text("method", "ping", "Its name."),
        ]],
    ),
    text("namespace_boundary", ":", "Ends the namespace's name."),
];

pub(super) const NAMED_PROXY: &[Fragment] =
    &[&[text("name", "", "Name to refer to; `default` is taken.")], PROXY];
