use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Channel, Payload, UnixSeconds, UserId};

/// What a verified connection token says, or whoever else vouches for a client.
///
/// Source: client protocol, section 10.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectClaims {
    /// Whose connection it is; empty for anonymous.
    pub user: UserId,
    /// When the connection expires; `None` never.
    pub expire_at: Option<UnixSeconds>,
    /// `conn_info` of the connection.
    pub info: Option<Payload>,
    /// JSON object for proxies, never sent to clients.
    pub meta: Option<Bytes>,
    /// Server-side subscriptions and their options.
    pub subs: BTreeMap<Channel, SubscribeGrant>,
    /// Data for the connect result, from a connect proxy.
    pub data: Option<Payload>,
}

/// What a verified subscription token says.
///
/// Source: client protocol, section 10.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionClaims {
    /// Must equal the user of the connection.
    pub user: UserId,
    /// Must equal the requested channel.
    pub channel: Channel,
    /// Must equal the connection id, when present and not empty.
    pub client: Option<String>,
    /// What it grants.
    pub grant: SubscribeGrant,
}

/// What an authorizer attaches to a subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscribeGrant {
    /// When the subscription expires; `None` never.
    pub expire_at: Option<UnixSeconds>,
    /// `chan_info` of the subscription.
    pub info: Option<Payload>,
    /// Data for the subscribe result.
    pub data: Option<Payload>,
    /// Replacements of channel options.
    pub overrides: OptionOverrides,
}

/// Channel options that a token, a proxy or the server API may replace for one subscription. `None` leaves the
/// namespace's setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionOverrides {
    /// Replaces `presence`.
    pub presence: Option<bool>,
    /// Replaces `join_leave`.
    pub join_leave: Option<bool>,
    /// Replaces `force_push_join_leave`.
    pub force_push_join_leave: Option<bool>,
    /// Replaces `force_recovery`.
    pub force_recovery: Option<bool>,
    /// Replaces `force_positioning`.
    pub force_positioning: Option<bool>,
}

/// What a backend says of a connection or subscription whose time is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// It ends.
    Expired,
    /// It goes on.
    Renewed(Box<Renewed>),
}

/// With what a connection or subscription goes on. `None` keeps what was, except for the expiry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// When to ask again. `None` is never for a subscription, and the end of a connection.
    pub expire_at: Option<UnixSeconds>,
    /// New `conn_info` or `chan_info`.
    pub info: Option<Payload>,
    /// New meta of the connection.
    pub meta: Option<Bytes>,
}
