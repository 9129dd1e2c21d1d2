use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! shared_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

shared_text! {
    /// The name of a channel, compared byte by byte. Cheap to clone. Its syntax is in [`ChannelRules`](crate::ChannelRules).
    Channel
}

shared_text! {
    /// Whose connection it is. Empty for anonymous clients. Cheap to clone.
    UserId
}

impl Default for UserId {
    fn default() -> Self {
        Self("".into())
    }
}

impl UserId {
    /// Whether this is the empty id of anonymous clients.
    pub fn is_anonymous(&self) -> bool {
        self.0.is_empty()
    }
}
