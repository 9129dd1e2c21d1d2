//! The methods of the server API: requests of [`flywheel_protocol::api`] in, result texts out.

mod batch;
mod call;
mod method;
mod payload;
mod result;

pub use call::{Call, Reply};
pub(crate) use call::{error_text, wrapped};
pub use method::Method;
