//! The fossil delta format: what changed from one payload to the next.
//!
//! ```
//! # use flywheel_stream::delta;
//! let (old, new) = (br#"{"seq":1,"body":"much of the same"}"#, br#"{"seq":2,"body":"much of the same"}"#);
//! let patch = delta::diff(old, new, new.len()).unwrap();
//! assert_eq!(delta::apply(old, &patch, new.len()).unwrap(), new);
//! ```
//!
//! Source: client protocol, section 7.5.

mod apply;
mod blocks;
mod diff;
mod number;

pub use apply::{Flaw, apply};
pub use diff::diff;

/// The patch that turns `source` into `target`, if it is shorter than `target`.
pub fn shorter(source: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    diff(source, target, target.len().checked_sub(1)?)
}

/// Sum of the text's big-endian words, the last one filled up with zeros.
fn checksum(text: &[u8]) -> u32 {
    let (words, rest) = text.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).fold(0, |sum, word| sum.wrapping_add(u32::from_be_bytes(*word)))
}

#[cfg(test)]
mod tests;
