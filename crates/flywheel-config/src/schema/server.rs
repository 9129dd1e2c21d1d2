//! What a node is and what it is attached to: listeners, log, engine, brokers.

use super::blocks::{
    ENGINE_IO_TIMEOUT, HISTORY_USE_LISTS, IO_TIMEOUT, NATS, POSTGRES, PREFIX, REDIS, REDIS_OWN,
    REDIS_PRESENCE, SHARDED_PUB_SUB, TLS,
};
use super::entry::{Entry, Fragment, block, choice, flag, int, text, texts, time};
use super::words;

pub(super) const HTTP_SERVER: Fragment = &[
    text("address", "", "Address to listen on; empty means all."),
    int("port", 8000, "Port to listen on."),
    text("internal_address", "", "Address of the internal listener; empty means `address`."),
    text(
        "internal_port",
        "",
        "Port of a listener of its own for the server API, metrics and health; empty shares `port`.",
    ),
    block("tls", &[TLS]),
    block(
        "tls_autocert",
        &[&[
            flag("enabled", "Obtain certificates over ACME."),
            texts("host_whitelist", "Names to obtain them for."),
            text("cache_dir", "", "Folder to keep them in."),
            text("email", "", "Address the authority may write to."),
            text("server_name", "", "Name assumed when a client sends none."),
            flag("http", "Answer HTTP-01 challenges too."),
            text("http_addr", ":80", "Where to answer them."),
        ]],
    ),
    flag("tls_external", "Speak TLS on the external port only."),
    block("internal_tls", &[TLS]),
    block("http3", &[&[flag("enabled", "Listen for HTTP/3; needs TLS.")]]),
    flag("h2c_external", "Speak HTTP/2 without TLS on the external port."),
];

pub(super) const LOG: Fragment = &[
    choice("level", words::LOG_LEVELS, "info", "The least important line that is written."),
    text("file", "", "File to append to; empty writes to standard error."),
];

pub(super) const NODE: Fragment = &[
    text("name", "", "Name of the node; empty makes one from host and port."),
    int("shards", 0, "Threads that own connections; 0 means one per core. A key of Flywheel's own."),
    time("info_metrics_aggregate_interval", "60s", "Window of the numbers that `info` shows."),
    time(
        "hand_over_after",
        "10s",
        "A node that was not ready for so long sends its clients to nodes that are; negative never. A key of Flywheel's own.",
    ),
];

pub(super) const SHUTDOWN: Fragment = &[
    time("timeout", "30s", "Time to say goodbye after SIGTERM; then the process exits."),
    time(
        "delay",
        "0s",
        "Time between failing readiness and sending clients away, for load balancers to notice. A key of Flywheel's own.",
    ),
    time(
        "spread",
        "0s",
        "Time over which clients are sent away, so that they do not all come back at once. A key of Flywheel's own.",
    ),
];

pub(super) const PID_FILE: Entry = text("pid_file", "", "File to write the process number to.");

pub(super) const ENABLE_UNRELEASED: Entry =
    flag("enable_unreleased_features", "Allow parts that are not stable, such as broker `redisnats`.");

pub(super) const ENGINE: Fragment = &[
    choice("type", words::ENGINES, "memory", "What carries publications, presence and node messages."),
    block(
        "redis",
        &[PREFIX, REDIS, ENGINE_IO_TIMEOUT, HISTORY_USE_LISTS, REDIS_PRESENCE, SHARDED_PUB_SUB, REDIS_OWN],
    ),
];

pub(super) const BROKER: Fragment = &[
    flag("enabled", "Carry publications by this and not by the engine."),
    choice("type", words::BROKERS, "memory", "Which broker."),
    block("redis", &[PREFIX, REDIS, ENGINE_IO_TIMEOUT, HISTORY_USE_LISTS, SHARDED_PUB_SUB, REDIS_OWN]),
    block("nats", &[NATS]),
    block("postgres", &[POSTGRES]),
    block(
        "redisnats",
        &[&[block("redis", &[PREFIX, REDIS, IO_TIMEOUT, HISTORY_USE_LISTS]), block("nats", &[NATS])]],
    ),
];

pub(super) const PRESENCE_MANAGER: Fragment = &[
    flag("enabled", "Keep presence here and not in the engine."),
    choice("type", words::ENGINES, "memory", "Which presence manager."),
    block("redis", &[PREFIX, REDIS, ENGINE_IO_TIMEOUT, REDIS_PRESENCE, REDIS_OWN]),
];

pub(super) const MAP_BROKER: Fragment = &[
    choice("type", words::MAP_BROKERS, "memory", "What keeps map channels, whatever the engine."),
    block(
        "redis",
        &[
            PREFIX,
            REDIS,
            IO_TIMEOUT,
            &[
                time("cleanup_interval", "1s", "Pause between sweeps for expired keys."),
                int("cleanup_batch_size", 100, "Keys per sweep."),
                time("idempotent_result_ttl", "5m", "How long idempotency keys are remembered."),
                flag("skip_pub_sub", "Store only, announce nothing."),
            ],
        ],
    ),
    block(
        "postgres",
        &[POSTGRES, &[time("ttl_check_interval", "1s", "Pause between sweeps for expired keys.")]],
    ),
];

pub(super) const CONTROLLER: Fragment = &[
    flag("enabled", "Carry messages between nodes by this."),
    choice("type", words::CONTROLLERS, "", "Which controller."),
    block(
        "postgres",
        &[&[
            text("dsn", "", "Connection string."),
            block("tls", &[TLS]),
            int("pool_size", 8, "Connections in the pool."),
            int("num_shards", 1, "Streams of messages."),
            text("table_prefix", "cf", "First part of table names."),
            time("poll_interval", "50ms", "Pause between looks."),
            flag("use_notify", "Wake readers with LISTEN and NOTIFY."),
            text("notify_dsn", "", "Connection string for LISTEN."),
            int("partition_retention_days", 1, "Days after which a partition is dropped."),
            int("partition_lookahead_days", 2, "Days for which partitions are made in advance."),
            time("partition_cleanup_interval", "1m", "Pause between rounds of that."),
            int("batch_size", 1000, "Rows taken at a time."),
            flag("skip_schema_init", "Leave creating tables to the operator."),
        ]],
    ),
];

pub(super) const SHARED_POLL: Fragment = &[
    text("hmac_secret_key", "", "Secret that signs which keys a client may track."),
    text("hmac_previous_secret_key", "", "Secret that is still honoured while it is being changed."),
    int(
        "hmac_previous_secret_key_valid_until",
        0,
        "Unix seconds at which the previous secret dies; 0 never.",
    ),
    int("concurrency_limit", 0, "Polls a node runs at a time; 0 means 64."),
];
