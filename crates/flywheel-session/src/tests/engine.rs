use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ChannelOptions, ClientInfo, ConnectClaims, DataFormat, Epoch,
    Payload, Publication, RecoveryMode, Renewal, StreamPosition, SubscriptionClaims,
};
use flywheel_protocol::ErrorCode;
use flywheel_protocol::client::PresenceStatsResult;
use flywheel_stream::{History, HistoryQuery};

use crate::{Ask, Failure, Outcome, Settings, SubscribePlan, Tell};

/// A stream as the protocol describes it, in the plainest way.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub epoch: Epoch,
    pub all: Vec<Arc<Publication>>,
    /// Publications at the front that history has lost.
    pub lost: usize,
}

impl Model {
    fn new(epoch: &str) -> Self {
        Self { epoch: Epoch::from(epoch), all: Vec::new(), lost: 0 }
    }

    pub(super) fn top(&self) -> StreamPosition {
        StreamPosition { offset: self.all.len() as u64, epoch: self.epoch.clone() }
    }

    pub(super) fn read(&self, query: &HistoryQuery) -> Result<History, Failure> {
        if query.since.as_ref().is_some_and(|since| !since.epoch.is_unknown() && since.epoch != self.epoch) {
            return Err(ErrorCode::UNRECOVERABLE_POSITION.into());
        }
        let kept = self.all[self.lost..].iter();
        let since = query.since.as_ref().map(|since| since.offset);
        let mut publications: Vec<_> = if query.reverse {
            kept.rev().filter(|one| since.is_none_or(|since| one.offset < since)).cloned().collect()
        } else {
            kept.filter(|one| since.is_none_or(|since| one.offset > since)).cloned().collect()
        };
        publications.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(History { publications, top: self.top() })
    }
}

/// Broker, presence and tokens of the tests' world.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub tokens: BTreeMap<String, Result<ConnectClaims, Failure>>,
    pub sub_tokens: BTreeMap<String, Result<SubscriptionClaims, Failure>>,
    pub admission: Option<Failure>,
    pub streams: BTreeMap<String, Model>,
    pub present: BTreeMap<String, BTreeSet<String>>,
    pub admitted: usize,
}

impl Engine {
    /// Makes a publication; the event is still to be delivered.
    pub(super) fn publish(
        &mut self,
        settings: &Settings,
        channel: &str,
        data: Payload,
        info: Option<Box<ClientInfo>>,
    ) -> ChannelEvent {
        self.publish_one(settings, channel, Publication { info, ..Publication::of(data) })
    }

    /// The same for a publication with tags.
    pub(super) fn publish_one(
        &mut self,
        settings: &Settings,
        channel: &str,
        mut publication: Publication,
    ) -> ChannelEvent {
        let options = settings.rules.options(channel).unwrap();
        let mut base = None;
        let mut epoch = Epoch::unknown();
        if options.has_history() {
            let stream = self.stream(channel);
            base = stream.all.last().filter(|_| options.delta_publish).cloned();
            publication.offset = stream.all.len() as u64 + 1;
            epoch = stream.epoch.clone();
            stream.all.push(Arc::new(publication.clone()));
        }
        let kind = ChannelEventKind::Publication(Arc::new(publication), epoch, base);
        ChannelEvent { channel: Channel::from(channel), kind }
    }

    pub(super) fn stream(&mut self, channel: &str) -> &mut Model {
        self.streams.entry(channel.to_owned()).or_insert_with(|| Model::new("e"))
    }

    /// Answers as a healthy server does. A publication is returned as well, to be delivered.
    pub(super) fn answer(&mut self, settings: &Settings, ask: &Ask) -> (Outcome, Option<ChannelEvent>) {
        let outcome = match ask {
            Ask::Authenticate { token, .. } => {
                let invalid = Err(Failure::InvalidToken);
                Outcome::Connected(self.tokens.get(token).cloned().unwrap_or(invalid).map(Box::new))
            }
            Ask::Connect(_) => Outcome::Vouched(Ok(None)),
            Ask::Renew(_) | Ask::RenewSubscription(..) => Outcome::Renewed(Ok(Renewal::Expired)),
            Ask::Authorize { .. } => Outcome::Authorized(Ok(Box::default())),
            Ask::Rpc { data, .. } => Outcome::Rpc(Ok(data.clone())),
            Ask::Admit(_) => {
                let admission = self.admission.clone().map_or(Ok(()), Err);
                self.admitted += usize::from(admission.is_ok());
                Outcome::Admitted(admission)
            }
            Ask::Verify(token) => {
                let invalid = Err(Failure::InvalidToken);
                Outcome::Verified(self.sub_tokens.get(token).cloned().unwrap_or(invalid).map(Box::new))
            }
            Ask::Subscribe(plan) => {
                let SubscribePlan { channel, presence, history } = &**plan;
                if let Some(info) = presence {
                    self.present.entry(channel.as_str().to_owned()).or_default().insert(info.client.clone());
                }
                let read = history.as_ref().map(|query| self.stream(channel.as_str()).read(query));
                Outcome::Subscribed(read.transpose())
            }
            Ask::Publish { channel, data, info, .. } => {
                let event = self.publish(settings, channel.as_str(), data.clone(), Some(info.clone()));
                let position = match &event.kind {
                    ChannelEventKind::Publication(publication, epoch, _) => {
                        StreamPosition { offset: publication.offset, epoch: epoch.clone() }
                    }
                    _ => StreamPosition::default(),
                };
                return (Outcome::Done(Ok(position)), Some(event));
            }
            Ask::Presence(channel) => Outcome::Presence(Ok(self.clients(channel.as_str()))),
            Ask::PresenceStats(channel) => {
                let count = u32::try_from(self.clients(channel.as_str()).len()).unwrap();
                Outcome::PresenceStats(Ok(PresenceStatsResult { num_clients: count, num_users: count }))
            }
            Ask::History(channel, query) => Outcome::History(self.stream(channel.as_str()).read(query)),
        };
        (outcome, None)
    }

    fn clients(&self, channel: &str) -> Vec<ClientInfo> {
        let clients = self.present.get(channel).into_iter().flatten();
        let info = |client: &String| ClientInfo {
            user: "42".into(),
            client: client.clone(),
            conn_info: None,
            chan_info: None,
        };
        clients.map(info).collect()
    }

    /// Does what it is told; an event is returned, to be delivered.
    pub(super) fn tell(&mut self, tell: Tell) -> Option<ChannelEvent> {
        match tell {
            Tell::Join(channel, info) => {
                return Some(ChannelEvent { channel, kind: ChannelEventKind::Join(Arc::new(*info)) });
            }
            Tell::Leave(channel, info) => {
                return Some(ChannelEvent { channel, kind: ChannelEventKind::Leave(Arc::new(*info)) });
            }
            Tell::AddPresence(channel, info) => {
                self.present.entry(channel.as_str().to_owned()).or_default().insert(info.client);
            }
            Tell::RefreshPresence(entries) => {
                for (channel, info) in entries {
                    self.present.entry(channel.as_str().to_owned()).or_default().insert(info.client);
                }
            }
            Tell::SoleConnection(..) => {}
            Tell::RemovePresence(channel, client) => {
                self.present.entry(channel.as_str().to_owned()).or_default().remove(&client);
            }
            Tell::Released(_) => self.admitted -= 1,
        }
        None
    }
}

/// The namespaces of the tests' world: those of the protocol's worked examples, and some more.
pub(super) fn namespaces() -> (ChannelOptions, Vec<(&'static str, ChannelOptions)>) {
    let open = ChannelOptions {
        allow_subscribe_for_client: true,
        allow_subscribe_for_anonymous: true,
        allow_publish_for_client: true,
        allow_publish_for_anonymous: true,
        allow_presence_for_client: true,
        allow_presence_for_anonymous: true,
        allow_history_for_client: true,
        allow_history_for_anonymous: true,
        publication_data_format: DataFormat::NotEmpty,
        ..ChannelOptions::default()
    };
    let stream = ChannelOptions { history_size: 10, history_ttl: Duration::from_mins(1), ..open.clone() };
    let log = ChannelOptions { force_recovery: true, ..stream.clone() };
    let snap = ChannelOptions { force_recovery_mode: RecoveryMode::Cache, ..log.clone() };
    let room =
        ChannelOptions { presence: true, join_leave: true, force_push_join_leave: true, ..open.clone() };
    let asked = ChannelOptions {
        subscribe_proxy_enabled: true,
        publish_proxy_enabled: true,
        sub_refresh_proxy_enabled: true,
        ..stream.clone()
    };
    let namespaces = vec![
        ("asked", asked),
        ("room", room.clone()),
        ("log", log.clone()),
        ("snap", snap.clone()),
        ("auto", ChannelOptions { auto_cache_recover: true, ..snap.clone() }),
        ("ask", ChannelOptions { presence: true, join_leave: true, ..stream.clone() }),
        (
            "hall",
            ChannelOptions {
                force_recovery: true,
                history_size: 10,
                history_ttl: stream.history_ttl,
                ..room
            },
        ),
        ("diff", ChannelOptions { allow_delta: true, delta_publish: true, ..log.clone() }),
        ("pick", ChannelOptions { allow_tags_filter: true, allow_delta: true, ..log }),
        ("pickone", ChannelOptions { allow_tags_filter: true, ..snap }),
        ("loose", ChannelOptions { allow_delta: true, delta_publish: true, ..stream }),
        ("any", ChannelOptions { publication_data_format: DataFormat::Binary, ..open.clone() }),
        ("vault", ChannelOptions { allow_subscribe_for_client: false, ..open.clone() }),
        ("lock", ChannelOptions { allow_subscribe_for_client: false, ..ChannelOptions::default() }),
        (
            "members",
            ChannelOptions {
                allow_publish_for_client: false,
                allow_publish_for_subscriber: true,
                ..open.clone()
            },
        ),
        ("dialog", ChannelOptions { allow_user_limited_channels: true, ..open.clone() }),
    ];
    (open, namespaces)
}
