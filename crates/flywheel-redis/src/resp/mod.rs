//! RESP, versions 2 and 3, without IO: commands out, values in.

mod command;
mod decoder;
mod error;
mod scan;
mod value;

pub use command::Command;
pub use decoder::Decoder;
pub use error::{DecodeError, Limits};
pub use value::Value;
