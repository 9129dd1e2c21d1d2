//! Operations of the server API as messages between nodes, and back.

use bytes::Bytes;
use flywheel_hub::Match;
use flywheel_model::{
    Channel, ChannelOptions, OptionOverrides, Payload, StreamPosition, SubscribeGrant, UnixSeconds,
};
use flywheel_protocol::Disconnect;
use flywheel_protocol::control::{self, Body};
use flywheel_session::ServerSubscribe;

use super::Numbers;
use crate::post::Operation;
use crate::{Info, Whom};

fn bytes(payload: Option<&Payload>) -> Bytes {
    payload.map(|payload| payload.bytes().clone()).unwrap_or_default()
}

fn payload(bytes: Bytes) -> Option<Payload> {
    (!bytes.is_empty()).then(|| Payload::new(bytes))
}

fn moment(seconds: i64) -> Option<UnixSeconds> {
    Some(UnixSeconds(seconds)).filter(|moment| moment.0 != 0)
}

/// `options` are those of the namespace: nodes of other makes are told what comes out of them.
pub(crate) fn subscribe(
    whom: &Whom,
    channel: &Channel,
    request: &ServerSubscribe,
    options: &ChannelOptions,
) -> Body {
    let ServerSubscribe { grant, recover_since } = request;
    let over = grant.overrides;
    let recover = over.force_recovery.unwrap_or(options.force_recovery);
    Body::Subscribe(control::Subscribe {
        user: whom.user.clone(),
        channel: channel.as_str().to_owned(),
        presence: over.presence.unwrap_or(options.presence),
        join_leave: over.join_leave.unwrap_or(options.join_leave),
        expire_at: grant.expire_at.map_or(0, |moment| moment.0),
        position: over.force_positioning.unwrap_or(options.force_positioning),
        recover,
        channel_info: bytes(grant.info.as_ref()),
        client: whom.client.clone(),
        data: bytes(grant.data.as_ref()),
        recover_since: recover_since.as_ref().map(|since| control::StreamPosition {
            offset: since.offset,
            epoch: since.epoch.as_str().to_owned(),
        }),
        session: whom.session.clone(),
        overrides: Some(control::Overrides {
            presence: over.presence,
            join_leave: over.join_leave,
            force_push_join_leave: over.force_push_join_leave,
            force_recovery: over.force_recovery,
            force_positioning: over.force_positioning,
        }),
    })
}

pub(crate) fn unsubscribe(whom: &Whom, channel: &Channel) -> Body {
    let flywheel_protocol::Unsubscribed { code, reason } = flywheel_protocol::Unsubscribed::BY_SERVER;
    Body::Unsubscribe(control::Unsubscribe {
        channel: channel.as_str().to_owned(),
        user: whom.user.clone(),
        client: whom.client.clone(),
        session: whom.session.clone(),
        code,
        reason: reason.to_owned(),
    })
}

pub(crate) fn disconnect(whom: &Whom, disconnect: &Disconnect, kept: &[String]) -> Body {
    Body::Disconnect(control::Disconnect {
        user: whom.user.clone(),
        whitelist: kept.to_vec(),
        code: disconnect.code,
        reason: disconnect.reason.clone().into_owned(),
        reconnect: false,
        client: whom.client.clone(),
        session: whom.session.clone(),
    })
}

pub(crate) fn refresh(whom: &Whom, expire_at: Option<UnixSeconds>, info: Option<&Payload>) -> Body {
    Body::Refresh(control::Refresh {
        user: whom.user.clone(),
        client: whom.client.clone(),
        expired: false,
        expire_at: expire_at.map_or(0, |moment| moment.0),
        info: bytes(info),
        session: whom.session.clone(),
    })
}

/// What the shards are to do because of a message; `None` when it means none of their clients.
pub(super) fn operation(body: Body) -> Option<Operation> {
    let whom = |user, client, session| -> Option<Match> { Whom { user, client, session }.matching() };
    Some(match body {
        Body::Subscribe(asked) if !asked.channel.is_empty() => {
            let overrides = overrides(&asked);
            let grant = SubscribeGrant {
                expire_at: moment(asked.expire_at),
                info: payload(asked.channel_info),
                data: payload(asked.data),
                overrides,
            };
            let recover_since = asked
                .recover_since
                .map(|since| StreamPosition { offset: since.offset, epoch: since.epoch.as_str().into() });
            let request = ServerSubscribe { grant, recover_since };
            let channel = Channel::from(asked.channel.as_str());
            Operation::Subscribe(whom(asked.user, asked.client, asked.session)?, channel, Box::new(request))
        }
        Body::Unsubscribe(asked) if !asked.channel.is_empty() => {
            let channel = Channel::from(asked.channel.as_str());
            Operation::Unsubscribe(whom(asked.user, asked.client, asked.session)?, channel)
        }
        Body::Disconnect(asked) => {
            let disconnect = Disconnect { code: asked.code, reason: asked.reason.into() };
            Operation::Disconnect(whom(asked.user, asked.client, asked.session)?, disconnect, asked.whitelist)
        }
        Body::Refresh(asked) => {
            let whom = whom(asked.user, asked.client, asked.session)?;
            if asked.expired {
                Operation::Disconnect(whom, Disconnect::EXPIRED, Vec::new())
            } else {
                Operation::Refresh(whom, moment(asked.expire_at), payload(asked.info))
            }
        }
        _ => return None,
    })
}

/// A node of another make tells what holds, not what is replaced.
fn overrides(asked: &control::Subscribe) -> OptionOverrides {
    match &asked.overrides {
        Some(over) => OptionOverrides {
            presence: over.presence,
            join_leave: over.join_leave,
            force_push_join_leave: over.force_push_join_leave,
            force_recovery: over.force_recovery,
            force_positioning: over.force_positioning,
        },
        None => OptionOverrides {
            presence: Some(asked.presence),
            join_leave: Some(asked.join_leave),
            force_push_join_leave: None,
            force_recovery: Some(asked.recover),
            force_positioning: Some(asked.position),
        },
    }
}

/// What a node said of itself.
pub(super) fn info(node: control::Node) -> Info {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Info {
        uid: node.uid,
        name: node.name,
        version: node.version,
        clients: count(node.num_clients),
        users: count(node.num_users),
        channels: count(node.num_channels),
        subscriptions: count(node.num_subs),
        uptime: std::time::Duration::from_secs(node.uptime.into()),
        metrics: node.metrics.map(|control::Metrics { interval, items }| Numbers { interval, items }),
    }
}

/// What this node says of itself.
pub(super) fn node(info: Info, view: control::View) -> control::Node {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    control::Node {
        uid: info.uid,
        name: info.name,
        version: info.version,
        num_clients: count(info.clients),
        num_users: count(info.users),
        num_channels: count(info.channels),
        uptime: u32::try_from(info.uptime.as_secs()).unwrap_or(u32::MAX),
        metrics: info.metrics.map(|Numbers { interval, items }| control::Metrics { interval, items }),
        data: Bytes::new(),
        num_subs: count(info.subscriptions),
        view: Some(view),
    }
}
