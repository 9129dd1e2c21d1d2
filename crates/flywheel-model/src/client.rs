use std::fmt;

use uuid::{Builder, Uuid};

use crate::{Payload, UserId};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id made of 128 random bits, of which six give way to the UUID version.
            pub fn from_random(random: u128) -> Self {
                Self(Builder::from_random_bytes(random.to_be_bytes()).into_uuid())
            }

            /// Reads the text of an id; `None` when it is not one of ours, so that nothing can have it.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().filter(|_| text.len() == 36).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// Names one connection. Its text is a version 4 UUID.
    ClientId
}

id! {
    /// A secret that names one connection to those who know it. Never shown to other clients.
    SessionId
}

impl SessionId {
    /// The id made of 122 random bits less six, which say in which of 64 shards the connection is: whoever is asked for
    /// a session knows whom to ask in turn.
    pub fn from_random_in(random: u128, shard: u8) -> Self {
        Self::from_random(random & !u128::from(SHARD_BITS) | u128::from(shard & SHARD_BITS))
    }

    /// The shard that [`from_random_in`](Self::from_random_in) was told. Of other ids, any number below 64.
    pub fn shard(self) -> u8 {
        self.0.as_bytes()[15] & SHARD_BITS
    }
}

const SHARD_BITS: u8 = 63;

/// Who published, joined or is present.
///
/// Source: client protocol, section 1.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// Whose connection it is; empty for anonymous clients.
    pub user: UserId,
    /// The connection's id in text form, since other nodes and servers may name theirs otherwise.
    pub client: String,
    /// Attached to the connection at authentication.
    pub conn_info: Option<Payload>,
    /// Attached to the subscription.
    pub chan_info: Option<Payload>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = ClientId::from_random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id.to_string(), "01234567-89ab-4def-8123-456789abcdef");
        assert_eq!(ClientId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn a_session_says_in_which_shard_it_is() {
        for shard in 0..64 {
            let session = SessionId::from_random_in(u128::MAX / 3, shard);
            assert_eq!(SessionId::parse(&session.to_string()).map(SessionId::shard), Some(shard));
        }
    }

    #[test]
    fn a_text_that_is_no_id_names_nobody() {
        for text in ["", "0", "01234567-89ab-4def-8123-456789abcdeg", "01234567x89ab-4def-8123-456789abcdef"]
        {
            assert_eq!(ClientId::parse(text), None, "{text}");
        }
    }
}
