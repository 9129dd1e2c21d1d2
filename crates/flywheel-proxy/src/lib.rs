//! Backends over HTTP: the application is asked what its clients may do.
//!
//! [`HttpBackend`] is the contract [`Backend`](flywheel_engine::Backend) carried by JSON over HTTP/1.1 with connections
//! that are kept. One is made for each kind of event and each proxy of the configuration, so that a backend which is
//! slow at one thing holds nothing else up: it has connections, a bound on calls in flight, a bounded queue behind that
//! bound, and a deadline, all of its own. A call is made once; nothing here tries again.
//!
//! Source: server API, sections 6 and 7.

#![forbid(unsafe_code)]

mod answers;
mod backend;
mod gate;
mod headers;
mod post;
mod questions;
mod redirect;
mod settings;

pub use backend::HttpBackend;
pub use settings::{BadProxy, ProxySettings, StatusTransform};
