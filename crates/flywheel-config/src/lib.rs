//! The configuration: text and a map of variables in, a validated [`Config`] out.
//!
//! The keys are those of Centrifugo v6, and files of its versions 2 to 5 are understood. [`keys`] lists every key with
//! its type, default, meaning and how far it is supported; [`load`] merges a file, the environment and flags, checks
//! the outcome and reports everything that is wrong at once. [`Changes`] compares two configurations for a reload.
//! Nothing here opens a file or reads the process environment.
//!
//! Source: configuration-v6. An operator's page is `docs/configuration.md`; its tables are [`reference_markdown`].

#![forbid(unsafe_code)]

mod config;
mod convert;
mod dotenv;
mod duration;
mod env;
mod expand;
mod file;
mod layer;
mod legacy;
mod load;
mod nearest;
mod reference;
mod reload;
mod report;
mod schema;
mod section;
mod template;
mod tree;
mod unsupported;
mod validate;
mod view;

pub use config::{
    Carrier, Client, Config, ConnectStatuses, Endpoint, Engine, EngineType, ErrorMode, HostPort, HttpApi,
    HttpServer, Log, LogLevel, Node, PersonalChannel, Proxies, Proxy, Readiness, RedisAddress, RedisPresence,
    RedisSentinels, RedisServers, RedisSettings, RedisShard, RedisTls, RedisTopology, Rpc, RpcPing, Shutdown,
    StatusMeaning, StatusTransform, StreamEndpoint, TokenConfig, UniWebSocket, WebSocket,
    WebSocketCompression, WebSocketLimits,
};
pub use dotenv::parse_dotenv;
pub use file::{File, Format};
pub use load::{LoadOptions, Loaded, Sources, load};
pub use reference::reference_markdown;
pub use reload::Changes;
pub use report::{ConfigError, Origin, Warning};
pub use schema::{Key, Kind, Support, Width, key, keys};
pub use template::{Secrets, default_tree, generated_tree, render};
