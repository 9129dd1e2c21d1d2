//! The HTTP side of the server: the server API, health, metrics and the built-in page, over hyper.
//!
//! [`HttpServer`] takes connections over from the shards, with the bytes that were read from them already, or accepts
//! its own on the internal port. [`Service`] answers requests; [`api`] knows the methods of the server API.

pub mod api;
mod auth;
mod connection;
mod health;
mod legacy;
mod service;
mod upgrades;

pub use auth::ApiKey;
pub use connection::HttpServer;
pub use service::{Endpoints, Exposure, Page, Service};
pub use upgrades::{AfterBody, TakeOver, Upgrades, Upgrading, Verdict};
