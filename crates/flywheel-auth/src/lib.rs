//! Who may connect and subscribe, as JSON Web Tokens say it: token, keys and the time in, claims out.
//!
//! A [`Verifier`] is made of [`TokenSettings`] once and shared; checking a token neither waits nor remembers. Every
//! kind of key has its place behind the verifier, so that callers never learn which one it was. [`sign`] makes the
//! tokens that the command line tools hand out.
//!
//! Source: client protocol, section 10; RFC 7515 and RFC 7519.

#![forbid(unsafe_code)]

mod claim_map;
mod date;
mod error;
mod grant;
mod jws;
mod keys;
mod settings;
pub mod sign;
mod verifier;

pub use error::{Part, Reason, TokenError};
pub use settings::{SettingsError, TokenSettings};
pub use verifier::Verifier;
