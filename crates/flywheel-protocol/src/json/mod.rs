//! The JSON form of messages: member order, what is left out, and lenient reading.
//!
//! ```
//! # use flywheel_protocol::json;
//! #[derive(Default, Debug, PartialEq)]
//! struct Greeting { to: String, times: u32 }
//! json::members!(Greeting { to, times });
//!
//! let greeting: Greeting = json::from_slice(br#"{"TO":"you","times":null,"new":1}"#).unwrap();
//! assert_eq!(greeting, Greeting { to: "you".into(), times: 0 });
//! let mut out = Vec::new();
//! json::write(&greeting, &mut out);
//! assert_eq!(out, br#"{"to":"you"}"#);
//! ```
//!
//! Source: client protocol, section 1.2.

mod read;
mod write;

pub use read::{MemberReader, Members, Nullable, ReadField, first_value, from_slice};
pub use write::{WriteField, compact, write, write_member, write_string};

/// Lists the members of a message in the order in which they are written. `"always"` marks those that are written even
/// when zero. The struct must be `Default`.
#[macro_export]
#[doc(hidden)]
macro_rules! __json_members {
    ($message:ty { $($field:ident $($always:literal)?),* $(,)? }) => {
        impl $crate::json::Members for $message {
            const NAMES: &'static [&'static str] = &[$($crate::json::member_name(stringify!($field))),*];

            #[allow(unused_variables, unused_mut, unused_assignments, reason = "a message may have no members")]
            fn read<'de, R: $crate::json::MemberReader<'de>>(&mut self, index: usize, reader: R) -> Result<(), R::Error> {
                let mut at = 0;
                $(
                    if index == at {
                        self.$field = reader.read()?;
                        return Ok(());
                    }
                    at += 1;
                )*
                Ok(())
            }

            #[allow(unused_variables, unused_mut, reason = "a message may have no members")]
            fn write(&self, out: &mut Vec<u8>) {
                out.push(b'{');
                let mut first = true;
                $(
                    let always = false $(|| $always == "always")?;
                    if always || !$crate::json::WriteField::is_zero(&self.$field) {
                        $crate::json::write_member(out, &mut first, $crate::json::member_name(stringify!($field)));
                        $crate::json::WriteField::write(&self.$field, out);
                    }
                )*
                out.push(b'}');
            }
        }
    };
}
pub use __json_members as members;

/// Declares messages that exist in JSON only: structs with public fields, and their members in the same order.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($field:ident $($always:literal)? : $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name { $(pub $field: $ty,)* }

        $crate::json::members!($name { $($field $($always)?),* });
    )*};
}
pub(crate) use messages;

/// The member's name on the wire for a field's name in Rust, where a keyword needs a trailing underscore.
#[doc(hidden)]
pub const fn member_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [head @ .., b'_'] => match std::str::from_utf8(head) {
            Ok(name) => name,
            Err(_) => field,
        },
        _ => field,
    }
}
