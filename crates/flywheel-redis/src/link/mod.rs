//! One command connection to one server.

mod error;
mod facts;
mod handle;
mod lane;
mod settings;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use error::{CallError, ClosedBecause, ErrorWord, LinkError, Redirect, ServerError};
pub use facts::{Facts, Mode, Role};
pub use handle::Link;
pub(crate) use handle::open;
pub use settings::{Endpoint, InvalidEndpoint, LinkSettings};
pub use tls::{Tls, TlsError, TlsSettings};

pub(crate) use facts::greet;
pub(crate) use socket::{Socket, dial};
