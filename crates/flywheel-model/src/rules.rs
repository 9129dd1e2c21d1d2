use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::Payload;

/// Why a channel name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// Its namespace is not configured: error 102.
    #[error("unknown namespace")]
    UnknownNamespace,
    /// It is empty, too long, not ASCII, or does not match its namespace's pattern: error 107.
    #[error("illegal channel name")]
    IllegalName,
}

/// Which publications a recovering subscriber wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecoveryMode {
    /// All missed ones, in order.
    #[default]
    Stream,
    /// Only the newest.
    Cache,
}

/// What a publication's payload must be. Config key `publication_data_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataFormat {
    /// Anything but empty.
    #[default]
    NotEmpty,
    /// One JSON value.
    Json,
    /// One JSON object.
    JsonObject,
    /// Anything, even empty.
    Binary,
}

impl DataFormat {
    /// Whether `data` may be published where this format is asked for.
    pub fn admits(self, data: &Payload) -> bool {
        match self {
            Self::NotEmpty => !data.is_empty(),
            Self::Json => !data.is_empty() && data.json().is_some(),
            Self::JsonObject => data.json().is_some_and(|json| json.trim_ascii_start().starts_with(b"{")),
            Self::Binary => true,
        }
    }
}

/// The rule set of a namespace. Field names are the config keys; see configuration-v6, section 2.7.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one field per configuration key, named as there")]
pub struct ChannelOptions {
    /// Keep the list of current subscribers.
    pub presence: bool,
    /// Publish join and leave events.
    pub join_leave: bool,
    /// Deliver them to all subscribers, asked or not.
    pub force_push_join_leave: bool,
    /// Publications kept; 0 means no history.
    pub history_size: usize,
    /// How long they are kept; zero means no history.
    pub history_ttl: Duration,
    /// How long epoch and top offset are kept. Never zero: the global default stands in.
    pub history_meta_ttl: Duration,
    /// Track the position of every subscriber.
    pub force_positioning: bool,
    /// Track the position of a subscriber that asks.
    pub allow_positioning: bool,
    /// Recovery for every subscriber.
    pub force_recovery: bool,
    /// Recovery for a subscriber that asks.
    pub allow_recovery: bool,
    /// Stream or cache.
    pub force_recovery_mode: RecoveryMode,
    /// Every subscribe recovers the newest publication.
    pub auto_cache_recover: bool,
    /// Whether `fossil` deltas may be negotiated.
    pub allow_delta: bool,
    /// Clients may send a tags filter.
    pub allow_tags_filter: bool,
    /// Every publication is a candidate for a delta.
    pub delta_publish: bool,
    /// See section 11.3 of the client protocol for the permission flags.
    pub allow_subscribe_for_anonymous: bool,
    /// Plain subscribe without token.
    pub allow_subscribe_for_client: bool,
    /// Publish by clients without a user.
    pub allow_publish_for_anonymous: bool,
    /// Publish by subscribers.
    pub allow_publish_for_subscriber: bool,
    /// Publish by everybody.
    pub allow_publish_for_client: bool,
    /// Presence calls by clients without a user.
    pub allow_presence_for_anonymous: bool,
    /// Presence calls by subscribers.
    pub allow_presence_for_subscriber: bool,
    /// Presence calls by everybody.
    pub allow_presence_for_client: bool,
    /// History calls by clients without a user.
    pub allow_history_for_anonymous: bool,
    /// History calls by subscribers.
    pub allow_history_for_subscriber: bool,
    /// History calls by everybody.
    pub allow_history_for_client: bool,
    /// The text after `#` lists who may subscribe.
    pub allow_user_limited_channels: bool,
    /// Pattern for the part of the name after the namespace boundary.
    pub channel_regex: Option<Regex>,
    /// What payloads must be.
    pub publication_data_format: DataFormat,
    /// Whether a backend decides on subscribe, publish or sub refresh. Without a backend such calls answer 108.
    pub subscribe_proxy_enabled: bool,
    /// A backend decides on client publish.
    pub publish_proxy_enabled: bool,
    /// A backend refreshes subscriptions.
    pub sub_refresh_proxy_enabled: bool,
}

impl ChannelOptions {
    /// Whether publications get offsets and are kept.
    pub fn has_history(&self) -> bool {
        self.history_size > 0 && !self.history_ttl.is_zero()
    }
}

/// Every namespace and the characters that structure a channel name.
///
/// Source: client protocol, section 11.1.
#[derive(Debug, Clone)]
pub struct ChannelRules {
    /// Channels without a namespace.
    pub without_namespace: Arc<ChannelOptions>,
    /// The rest, by name.
    pub namespaces: BTreeMap<String, Arc<ChannelOptions>>,
    /// First character(s) of channels that need a token. Default `$`.
    pub private_prefix: String,
    /// Ends the namespace's name. Default `:`.
    pub namespace_boundary: String,
    /// Starts the list of users. Default `#`.
    pub user_boundary: String,
    /// Separates them. Default `,`.
    pub user_separator: String,
    /// Longest name in bytes. Default 255.
    pub max_length: usize,
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self {
            without_namespace: Arc::default(),
            namespaces: BTreeMap::new(),
            private_prefix: "$".into(),
            namespace_boundary: ":".into(),
            user_boundary: "#".into(),
            user_separator: ",".into(),
            max_length: 255,
        }
    }
}

impl ChannelRules {
    /// The rule set of `channel`, whatever the rest of its name looks like.
    ///
    /// # Errors
    /// [`ChannelError::UnknownNamespace`].
    pub fn options(&self, channel: &str) -> Result<&Arc<ChannelOptions>, ChannelError> {
        self.split(channel).map(|(options, _)| options)
    }

    /// The name of the namespace of `channel`; empty for channels without one.
    pub fn namespace<'a>(&self, channel: &'a str) -> &'a str {
        self.without_prefix(channel).split_once(self.namespace_boundary.as_str()).map_or("", |(name, _)| name)
    }

    /// The rule set of `channel` after the checks that a client's commands are subject to, except for the length.
    ///
    /// # Errors
    /// [`ChannelError`]: the namespace is looked up first, then the characters are checked.
    pub fn checked(&self, channel: &str) -> Result<&Arc<ChannelOptions>, ChannelError> {
        let (options, rest) = self.split(channel)?;
        let legal = match &options.channel_regex {
            Some(pattern) => pattern.is_match(rest),
            None => channel.is_ascii(),
        };
        if legal { Ok(options) } else { Err(ChannelError::IllegalName) }
    }

    /// Whether a subscription token is mandatory.
    pub fn is_private(&self, channel: &str) -> bool {
        !self.private_prefix.is_empty() && channel.starts_with(&self.private_prefix)
    }

    /// The users listed in the name; `None` when the name has no user boundary.
    pub fn listed_users<'a>(&'a self, channel: &'a str) -> Option<impl Iterator<Item = &'a str>> {
        if self.user_boundary.is_empty() {
            return None;
        }
        let (_, users) = channel.rsplit_once(&self.user_boundary)?;
        Some(users.split(self.user_separator.as_str()))
    }

    /// Whether the name lists `user`. The empty user is never listed (client protocol, appendix E).
    pub fn lists_user(&self, channel: &str, user: &str) -> bool {
        !user.is_empty()
            && self.listed_users(channel).is_some_and(|mut users| users.any(|listed| listed == user))
    }

    fn without_prefix<'a>(&self, channel: &'a str) -> &'a str {
        channel.strip_prefix(self.private_prefix.as_str()).unwrap_or(channel)
    }

    fn split<'a>(&self, channel: &'a str) -> Result<(&Arc<ChannelOptions>, &'a str), ChannelError> {
        let name = self.without_prefix(channel);
        match name.split_once(self.namespace_boundary.as_str()) {
            None => Ok((&self.without_namespace, name)),
            Some((namespace, rest)) => {
                let options = self.namespaces.get(namespace).ok_or(ChannelError::UnknownNamespace)?;
                Ok((options, rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ChannelRules {
        let pattern =
            ChannelOptions { channel_regex: Some(Regex::new("^[a-zü]+$").unwrap()), ..Default::default() };
        ChannelRules {
            namespaces: [("news".to_owned(), Arc::default()), ("re".to_owned(), Arc::new(pattern))].into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_namespace_is_the_part_before_the_first_boundary() {
        let rules = rules();
        assert!(rules.options("lobby").is_ok());
        assert!(rules.options("news:sport:1").is_ok());
        assert!(rules.options("$news:1").is_ok());
        assert_eq!(rules.namespace("$news:1:2"), "news");
        assert_eq!(rules.namespace("lobby"), "");
        assert_eq!(rules.options("nowhere:1").unwrap_err(), ChannelError::UnknownNamespace);
    }

    #[test]
    fn a_pattern_replaces_the_ascii_check() {
        let rules = rules();
        assert_eq!(rules.checked("lobbü").unwrap_err(), ChannelError::IllegalName);
        assert!(rules.checked("re:grün").is_ok());
        assert_eq!(rules.checked("re:x1").unwrap_err(), ChannelError::IllegalName);
        assert_eq!(rules.checked("nowhere:ü").unwrap_err(), ChannelError::UnknownNamespace);
    }

    #[test]
    fn the_users_stand_after_the_last_boundary_and_nobody_is_not_one_of_them() {
        let rules = rules();
        assert!(rules.lists_user("dialog#1#42,43", "43"));
        assert!(!rules.lists_user("dialog#1#42,43", "1"));
        assert!(!rules.lists_user("dialog#,5", ""));
        assert!(!rules.lists_user("dialog", "5"));
    }

    #[test]
    fn an_empty_namespace_name_is_a_namespace_that_does_not_exist() {
        assert_eq!(rules().options(":x").unwrap_err(), ChannelError::UnknownNamespace);
    }
}
