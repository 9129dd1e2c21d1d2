//! permessage-deflate, RFC 7692, without context takeover in either direction: every message stands for itself, so that
//! what is compressed once fits every client, and no connection keeps a window.

mod deflater;
mod inflater;
mod negotiate;

pub use deflater::Deflater;
pub use inflater::Inflater;
pub use negotiate::Deflate;

/// What the compressor ends a message with and the wire leaves out: an empty stored block without its first byte.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

#[cfg(test)]
mod tests;
