//! Every key of the configuration: name, type, default, meaning, and how far it is supported.
//!
//! The tables are constants, so that adding a key is one line. [`keys`] is the same tree as a flat list.

mod blocks;
mod channel;
mod client;
mod commercial;
mod consumers;
mod endpoints;
mod entry;
mod keys;
mod server;
mod support;
mod words;

pub(crate) use commercial::{commercial, commercial_variable};
pub(crate) use entry::{Entry, Fragment, Shape};
pub use entry::{Kind, Width};
pub use keys::{Key, key, keys};
pub(crate) use keys::{default_object, default_value, entry_at, env_name, find, key_by_env};
pub use support::Support;
pub(crate) use support::supported_words;

use entry::{block, list};

/// The whole tree, in the order in which the reference page lists it.
pub(crate) const ROOT: &[Fragment] = &[
    &[
        block("http_server", &[server::HTTP_SERVER]),
        block("log", &[server::LOG]),
        block("node", &[server::NODE]),
        block("shutdown", &[server::SHUTDOWN]),
        server::PID_FILE,
        server::ENABLE_UNRELEASED,
        block("engine", &[server::ENGINE]),
        block("broker", &[server::BROKER]),
        block("presence_manager", &[server::PRESENCE_MANAGER]),
        block("map_broker", &[server::MAP_BROKER]),
        block("controller", &[server::CONTROLLER]),
        block("shared_poll", &[server::SHARED_POLL]),
        block("client", &[client::CLIENT]),
        block("channel", &[channel::CHANNEL]),
        block("rpc", &[client::RPC]),
        list("proxies", client::NAMED_PROXY, "Backends to refer to by name."),
        block("http_api", &[endpoints::HTTP_API]),
        block("grpc_api", &[endpoints::GRPC_API]),
    ],
    endpoints::BIDIRECTIONAL,
    endpoints::UNIDIRECTIONAL,
    endpoints::TOOLS,
    endpoints::TELEMETRY,
    &[list("consumers", &[consumers::CONSUMER], "Queues to take publications and commands from.")],
];
