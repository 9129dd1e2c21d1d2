//! Blocks that stand in several places: TLS, Redis, NATS, PostgreSQL, tokens, proxies, WebSocket.

use super::entry::{
    Entry, Fragment, block, choice, flag, int, list, map, pem, text, texts, texts_or, time, uint32,
};
use super::words;

pub(super) const ENABLED: Fragment = &[flag("enabled", "Turns this part on.")];

pub(super) const TLS: Fragment = &[
    flag("enabled", "Speak TLS."),
    pem("cert_pem", "Certificate shown to the peer."),
    pem("key_pem", "Private key of `cert_pem`."),
    pem("server_ca_pem", "As a client: authority that must have signed the peer; empty trusts the system's."),
    pem("client_ca_pem", "As a server: demand client certificates signed by this authority."),
    flag("insecure_skip_verify", "As a client: accept whatever certificate comes. For tests only."),
    text("server_name", "", "As a client: name to ask for and to verify."),
];

const TLS_BLOCK: Entry = block("tls", &[TLS]);

/// Without `prefix`, which Redis stream consumers do not have, and without `io_timeout`, whose default differs.
pub(super) const REDIS: Fragment = &[
    texts_or(
        "address",
        &["redis://127.0.0.1:6379"],
        "Shards as URL or `host:port`; several divide the keys between them.",
    ),
    time("connect_timeout", "1s", "Longest time to open a connection."),
    int("db", 0, "Number of the logical database; leave 0 with Redis Cluster."),
    text("user", "", "ACL user."),
    text("password", "", "Password."),
    text("client_name", "", "Name that connections give themselves."),
    flag("force_resp2", "Speak RESP2 even if the server knows RESP3."),
    texts("cluster_address", "Shards of Redis Cluster, each a comma-separated list of seed nodes."),
    TLS_BLOCK,
    texts("sentinel_address", "Shards behind Sentinel, each a comma-separated list of Sentinels."),
    text("sentinel_user", "", "ACL user on Sentinel."),
    text("sentinel_password", "", "Password on Sentinel."),
    text("sentinel_master_name", "", "Name under which Sentinel watches the master."),
    text("sentinel_client_name", "", "Connection name on Sentinel."),
    block("sentinel_tls", &[TLS]),
    block(
        "replica_client",
        &[&[flag("enabled", "Open links to replicas; only Redis stream consumers use them.")]],
    ),
];

pub(super) const PREFIX: Fragment = &[text("prefix", "centrifugo", "First part of every key and channel.")];

pub(super) const IO_TIMEOUT: Fragment = &[time("io_timeout", "4s", "Longest time of one request.")];

/// The reference waits 4s by default; a node that waits so long is a node that looks frozen.
pub(super) const ENGINE_IO_TIMEOUT: Fragment =
    &[time("io_timeout", "1500ms", "Longest time of one request, with the wait for its turn.")];

pub(super) const REDIS_OWN: Fragment = &[
    choice(
        "topology",
        words::REDIS_TOPOLOGIES,
        "auto",
        "`auto` goes by what the servers say they are; `strict` refuses what was not configured. A key of Flywheel's own.",
    ),
    time(
        "probe_interval",
        "1s",
        "Pause between proofs that writing and PUB/SUB work. A key of Flywheel's own.",
    ),
    time(
        "topology_refresh_interval",
        "5s",
        "Pause between looks at the topology while nothing happens. A key of Flywheel's own.",
    ),
];

pub(super) const SHARDED_PUB_SUB: Fragment = &[int(
    "sharded_pub_sub_partitions",
    0,
    "Parts that PUB/SUB is spread over in Redis Cluster; 0 reaches all nodes. The same on all nodes.",
)];

pub(super) const HISTORY_USE_LISTS: Fragment =
    &[flag("history_use_lists", "Keep histories in lists as old versions did, instead of in streams.")];

pub(super) const REDIS_PRESENCE: Fragment = &[
    time("presence_ttl", "60s", "How long presence of a dead node's clients lingers."),
    flag("presence_hash_field_ttl", "Let fields expire by themselves; needs Redis 7.4."),
    flag("presence_user_mapping", "Keep presence per user too, which makes presence statistics cheap."),
];

pub(super) const NATS: Fragment = &[
    text("prefix", "centrifugo", "First part of every subject."),
    text("url", "nats://localhost:4222", "Server, or several separated by commas."),
    time("dial_timeout", "1s", "Longest time to connect."),
    time("write_timeout", "1s", "Longest time of a flush."),
    TLS_BLOCK,
    flag("allow_wildcards", "Let clients subscribe to patterns; such channels have no join and leave."),
    block(
        "raw_mode",
        &[&[
            flag("enabled", "Carry foreign payloads on plain subjects, without our envelope."),
            map("channel_replacements", "Text to exchange when a channel becomes a subject."),
            text("prefix", "", "First part of subjects in raw mode."),
        ]],
    ),
];

pub(super) const POSTGRES: Fragment = &[
    text("dsn", "", "Connection string."),
    TLS_BLOCK,
    int("pool_size", 16, "Connections in the pool."),
    int("num_shards", 8, "Delivery workers that channels are spread over."),
    time("cleanup_interval", "1m", "Pause between sweeps for expired rows."),
    time("idempotent_result_ttl", "5m", "How long idempotency keys are remembered."),
    flag("binary_data", "Store payloads as bytes in tables of their own."),
    time("stream_retention", "24h", "No stream row outlives this, whatever its namespace says."),
    flag("use_notify", "Wake readers with LISTEN and NOTIFY."),
    text("notify_dsn", "", "Connection string for LISTEN, where a pooler is in the way of `dsn`."),
    text("table_prefix", "cf", "First part of table and function names."),
    flag("skip_schema_init", "Leave creating and migrating tables to the operator."),
    block(
        "outbox",
        &[&[
            time("poll_interval", "100ms", "Pause between looks when nobody was woken."),
            int("batch_size", 1000, "Rows taken at a time."),
        ]],
    ),
    int("partition_lookahead_days", 2, "Days for which partitions are made in advance."),
    int("partition_retention_days", 7, "Days after which a partition is dropped."),
];

pub(super) const TOKEN: Fragment = &[
    text("hmac_secret_key", "", "Secret for HS256, HS384 and HS512."),
    text("hmac_previous_secret_key", "", "Secret that is still honoured while keys are being changed."),
    int(
        "hmac_previous_secret_key_valid_until",
        0,
        "Unix seconds at which the previous secret dies; 0 never.",
    ),
    text("rsa_public_key", "", "PEM key for RS256, RS384 and RS512."),
    text("ecdsa_public_key", "", "PEM key for ES256, ES384 and ES512."),
    text(
        "jwks_public_endpoint",
        "",
        "URL of a key set, used in place of the keys above; may name groups of the regexes.",
    ),
    text("audience", "", "The `aud` a token must have."),
    text("audience_regex", "", "Pattern of `aud`; not together with `audience`."),
    text("issuer", "", "The `iss` a token must have."),
    text("issuer_regex", "", "Pattern of `iss`; not together with `issuer`."),
    text("user_id_claim", "", "Claim that names the user; empty means `sub`."),
    flag(
        "insecure_skip_jwks_endpoint_safety_check",
        "Allow key-set URLs that a token could bend to any host.",
    ),
];

pub(super) const PROXY: Fragment = &[
    text("endpoint", "", "Address of the backend: `http://`, `https://` or `grpc://`."),
    time("timeout", "1s", "Longest time of a call."),
    texts("http_headers", "Headers of the client's request that are passed on."),
    texts("grpc_metadata", "Metadata of gRPC clients that is passed on."),
    texts("emulated_headers", "Headers taken from the `headers` map of the connect command."),
    flag("binary_encoding", "Exchange payloads as base64."),
    flag("include_connection_meta", "Add the connection's `meta` to requests."),
    block(
        "http",
        &[&[
            TLS_BLOCK,
            map("static_headers", "Headers added to every request."),
            list(
                "status_to_code_transforms",
                &[STATUS_TRANSFORM],
                "Which HTTP status becomes which error or disconnect.",
            ),
        ]],
    ),
    block(
        "grpc",
        &[&[
            TLS_BLOCK,
            text("credentials_key", "", "Metadata key of the credentials."),
            text("credentials_value", "", "The credentials."),
            flag("compression", "Compress requests."),
            map("static_metadata", "Metadata added to every call."),
        ]],
    ),
];

const STATUS_TRANSFORM: Fragment = &[
    int("status_code", 0, "Status to match."),
    block(
        "to_error",
        &[&[
            uint32("code", "Error code, 400 to 1999."),
            text("message", "", "ASCII text for the client, at most 123 bytes."),
            flag("temporary", "The client may try again."),
        ]],
    ),
    block(
        "to_disconnect",
        &[&[
            uint32("code", "Disconnect code, 4000 to 4999."),
            text("reason", "", "ASCII text for the client, at most 123 bytes."),
        ]],
    ),
];

pub(super) const CODE_TO_HTTP: Fragment = &[
    flag("enabled", "Answer refused connects with an HTTP status."),
    list(
        "transforms",
        &[&[
            uint32("code", "Error or disconnect code to match."),
            block(
                "to",
                &[&[
                    int("status_code", 0, "HTTP status to answer with."),
                    text("body", "", "Body of the answer."),
                ]],
            ),
        ]],
        "Which code becomes which status.",
    ),
];

/// Without `handler_prefix`, whose default differs.
pub(super) const WEBSOCKET: Fragment = &[
    flag("compression", "Offer permessage-deflate."),
    int("compression_min_size", 0, "Shorter messages are sent as they are; bytes."),
    int("compression_level", 1, "Effort from 1 to 9."),
    int("read_buffer_size", 0, "Tuning of the reference's buffers; accepted, not needed here."),
    flag("use_write_buffer_pool", "Tuning of the reference's buffers; accepted, not needed here."),
    int("write_buffer_size", 0, "Tuning of the reference's buffers; accepted, not needed here."),
    time("write_timeout", "1s", "Longest time to write one frame; 0 waits for ever."),
    int("message_size_limit", 65_536, "Longest message from a client in bytes; 0 means no limit."),
    int(
        "decompressed_message_size_limit",
        0,
        "The same after decompression; 0 means ten times `message_size_limit`.",
    ),
];
