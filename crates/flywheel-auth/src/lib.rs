//! Who may connect and subscribe, as JSON Web Tokens say it: token, keys and the time in, claims out.
//!
//! A [`Verifier`] is made of [`TokenSettings`] once and shared; checking a token neither waits nor remembers. Where the
//! keys are published as a set, the verifier answers with a [`KeyRequest`]: the caller gets the [`PublicKey`] out of
//! the [`KeySet`] at that address, however it likes, and comes back with it. [`sign`] makes the tokens that the command
//! line tools hand out.
//!
//! What cannot happen here: a key of one kind checking a signature of another (each key knows its algorithms, and the
//! secrets of HMAC are none of the public keys), or a request to an address that a token made up.
//!
//! Source: client protocol, section 10; RFC 7515, 7517, 7518, 7519 and 8037.

#![forbid(unsafe_code)]

mod algorithm;
mod claim_map;
mod date;
mod error;
mod grant;
mod jws;
mod key_set;
mod keys;
mod public_key;
mod request;
mod settings;
pub mod sign;
mod verifier;

pub use algorithm::{Algorithm, Curve, Hash};
pub use error::{Part, Reason, TokenError, Unverified};
pub use key_set::{Found, KeySet, KeySetProblem};
pub use public_key::{KeyError, PublicKey};
pub use request::KeyRequest;
pub use settings::{SettingsError, TokenSettings};
pub use verifier::Verifier;
