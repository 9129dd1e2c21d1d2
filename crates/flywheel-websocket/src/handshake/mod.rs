//! The opening handshake. Source: RFC 6455, section 4.

mod error;
mod head;
mod request;
mod response;
mod upgrade;

pub use error::{HandshakeError, UpgradeError};
pub use head::{Head, Limits};
pub use request::{HEADERS_MAX, Request};
pub use response::{accept_key, write_bad_request, write_response};
pub use upgrade::Upgrade;
