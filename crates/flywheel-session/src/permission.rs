//! Who may do what in a channel.
//!
//! Source: client protocol, sections 11.3 and 11.4.

use flywheel_model::{ChannelOptions, ChannelRules, UserId};

use crate::Settings;

/// An operation that a client may be allowed to do in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Publish,
    Presence,
    History,
}

/// Whether `user` may do it. `subscribed` includes server-side subscriptions.
pub(crate) fn may(
    settings: &Settings,
    options: &ChannelOptions,
    operation: Operation,
    user: &UserId,
    subscribed: bool,
) -> bool {
    let (client, subscriber, anonymous) = match operation {
        Operation::Publish => (
            options.allow_publish_for_client,
            options.allow_publish_for_subscriber,
            options.allow_publish_for_anonymous,
        ),
        Operation::Presence => (
            options.allow_presence_for_client,
            options.allow_presence_for_subscriber,
            options.allow_presence_for_anonymous,
        ),
        Operation::History => (
            options.allow_history_for_client,
            options.allow_history_for_subscriber,
            options.allow_history_for_anonymous,
        ),
    };
    settings.insecure || (client || subscriber && subscribed) && (anonymous || !user.is_anonymous())
}

/// What decides a subscribe that brought no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Allowed,
    Denied,
    /// The backend decides.
    AskBackend,
}

/// Whether `user` may subscribe without a token.
pub(crate) fn may_subscribe(
    settings: &Settings,
    options: &ChannelOptions,
    channel: &str,
    user: &UserId,
) -> Admission {
    let rules: &ChannelRules = &settings.rules;
    if rules.is_private(channel) {
        return Admission::Denied;
    }
    let user_limited = options.allow_user_limited_channels && rules.listed_users(channel).is_some();
    if user_limited {
        return if rules.lists_user(channel, user.as_str()) || settings.insecure {
            Admission::Allowed
        } else {
            Admission::Denied
        };
    }
    if options.subscribe_proxy_enabled {
        return Admission::AskBackend;
    }
    let plain =
        options.allow_subscribe_for_client && (options.allow_subscribe_for_anonymous || !user.is_anonymous());
    if plain || settings.insecure { Admission::Allowed } else { Admission::Denied }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_clients_need_a_permission_of_their_own() {
        let settings = Settings::default();
        let mut options = ChannelOptions { allow_history_for_client: true, ..ChannelOptions::default() };
        let check = |options: &ChannelOptions, user: &str| {
            may(&settings, options, Operation::History, &UserId::from(user), false)
        };
        assert!(check(&options, "42"));
        assert!(!check(&options, ""));
        options.allow_history_for_anonymous = true;
        assert!(check(&options, ""));
        options.allow_history_for_client = false;
        assert!(!check(&options, "42"));
    }

    #[test]
    fn subscribers_may_what_is_allowed_to_subscribers() {
        let settings = Settings::default();
        let options = ChannelOptions { allow_publish_for_subscriber: true, ..ChannelOptions::default() };
        let user = UserId::from("42");
        assert!(may(&settings, &options, Operation::Publish, &user, true));
        assert!(!may(&settings, &options, Operation::Publish, &user, false));
        assert!(!may(&settings, &options, Operation::Presence, &user, true));
    }

    #[test]
    fn the_user_list_of_a_channel_decides_alone() {
        let settings = Settings::default();
        let open = ChannelOptions {
            allow_user_limited_channels: true,
            allow_subscribe_for_client: true,
            allow_subscribe_for_anonymous: true,
            ..ChannelOptions::default()
        };
        let check = |channel: &str, user: &str| may_subscribe(&settings, &open, channel, &UserId::from(user));
        assert_eq!(check("dialog#42,43", "43"), Admission::Allowed);
        assert_eq!(check("dialog#42,43", "44"), Admission::Denied);
        assert_eq!(check("dialog#", ""), Admission::Denied);
        assert_eq!(check("lobby", ""), Admission::Allowed);
        assert_eq!(check("$lobby", "42"), Admission::Denied);
    }
}
