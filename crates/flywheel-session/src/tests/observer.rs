use std::collections::BTreeMap;

use flywheel_protocol::client::{
    Publication, Push, PushBody, Reply, ReplyBody, ServerMessage, StreamPosition, SubscribeResult,
};

/// Checks from the client's side that no publication is missed in silence, repeated, or delivered to the wrong channel.
///
/// Every payload names its channel, epoch and number, so that nothing else need be known of the streams. In `snap:`
/// channels a recovery may skip; everywhere else only a reply or push that says so.
#[derive(Debug, Default)]
pub(super) struct Observer {
    channels: BTreeMap<String, Seen>,
    /// Subscribe and unsubscribe commands without a reply.
    commands: BTreeMap<u32, (String, Option<StreamPosition>)>,
}

#[derive(Debug, Default)]
struct Seen {
    subscribed: bool,
    /// The last publication, or where the server said that the client stands.
    position: StreamPosition,
    /// Whether the next publication may be any later one.
    may_skip: bool,
    /// Number of the last publication of this subscription to a channel without a stream.
    number: Option<u64>,
}

/// What is published as number `number`.
pub(super) fn payload(channel: &str, epoch: &str, number: u64) -> String {
    format!("\"{channel} {epoch} {number}\"")
}

impl Observer {
    pub(super) fn commands(&mut self, id: u32, channel: &str, since: Option<StreamPosition>) {
        self.commands.insert(id, (channel.to_owned(), since));
    }

    /// Where the client stands in a channel that it has subscribed before.
    pub(super) fn position(&self, channel: &str) -> Option<StreamPosition> {
        let position = self.channels.get(channel).map(|seen| &seen.position)?;
        (!position.epoch.is_empty()).then(|| position.clone())
    }

    pub(super) fn subscribed(&self) -> impl Iterator<Item = (&str, &StreamPosition)> {
        let subscribed = self.channels.iter().filter(|(_, seen)| seen.subscribed);
        subscribed.map(|(channel, seen)| (channel.as_str(), &seen.position))
    }

    pub(super) fn connection_lost(&mut self) {
        self.commands.clear();
        self.channels.values_mut().for_each(|seen| seen.subscribed = false);
    }

    pub(super) fn see(&mut self, message: &ServerMessage) -> Result<(), String> {
        let seen = match message {
            ServerMessage::Ping => Ok(()),
            ServerMessage::Reply(reply) => self.reply(reply),
            ServerMessage::Push(push) => self.push(push),
        };
        seen.map_err(|wrong| format!("{wrong}: {message:?}, {self:?}"))
    }

    fn reply(&mut self, reply: &Reply) -> Result<(), String> {
        let Some((channel, since)) = self.commands.remove(&reply.id) else {
            return Ok(());
        };
        match &reply.body {
            ReplyBody::Subscribe(result) => self.begin(&channel, since, result),
            ReplyBody::Unsubscribe(_) => {
                self.channel(&channel).subscribed = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn channel(&mut self, channel: &str) -> &mut Seen {
        self.channels.entry(channel.to_owned()).or_default()
    }

    fn begin(
        &mut self,
        channel: &str,
        since: Option<StreamPosition>,
        result: &SubscribeResult,
    ) -> Result<(), String> {
        let seen = self.channel(channel);
        if std::mem::replace(&mut seen.subscribed, true) {
            return Err("subscribed twice".into());
        }
        seen.number = None;
        seen.may_skip = false;
        seen.position = StreamPosition { offset: result.offset, epoch: result.epoch.clone() };
        if !result.recovered {
            return if result.publications.is_empty() {
                Ok(())
            } else {
                Err("unrecovered publications".into())
            };
        }
        let since = since.ok_or("recovered without having been asked to")?;
        if result.offset != since.offset || !result.was_recovering {
            return Err("recovered from elsewhere".into());
        }
        let may_skip = channel.starts_with("snap:");
        if !since.epoch.is_empty() && since.epoch != result.epoch && !may_skip {
            return Err("recovered another epoch".into());
        }
        seen.may_skip = may_skip && !result.publications.is_empty();
        result.publications.iter().try_for_each(|publication| self.publication(channel, publication))
    }

    fn push(&mut self, push: &Push) -> Result<(), String> {
        match &push.body {
            PushBody::Publication(publication) => self.publication(&push.channel, publication),
            PushBody::Subscribe(result) => {
                let seen = self.channel(&push.channel);
                let position = StreamPosition { offset: result.offset, epoch: result.epoch.clone() };
                if std::mem::replace(&mut seen.subscribed, true) {
                    return if seen.position == position {
                        Ok(())
                    } else {
                        Err("announced elsewhere".into())
                    };
                }
                seen.number = None;
                // What was recovered comes as ordinary pushes.
                seen.may_skip = push.channel.starts_with("snap:");
                seen.position = position;
                Ok(())
            }
            PushBody::Unsubscribe(_) => {
                if std::mem::take(&mut self.channel(&push.channel).subscribed) {
                    Ok(())
                } else {
                    Err("unsubscribed without having been subscribed".into())
                }
            }
            _ if !push.channel.is_empty() && !self.channel(&push.channel).subscribed => {
                Err("not subscribed".into())
            }
            _ => Ok(()),
        }
    }

    fn publication(&mut self, channel: &str, publication: &Publication) -> Result<(), String> {
        let seen = self.channel(channel);
        if !seen.subscribed {
            return Err("a publication without a subscription".into());
        }
        let (epoch, number) = if publication.offset > 0 {
            if !std::mem::take(&mut seen.may_skip) && publication.offset != seen.position.offset + 1 {
                return Err(format!("{} follows {}", publication.offset, seen.position.offset));
            }
            seen.position.offset = publication.offset;
            (seen.position.epoch.clone(), publication.offset)
        } else {
            let text = String::from_utf8_lossy(&publication.data).replace('"', "");
            let number =
                text.rsplit_once(' ').and_then(|(_, number)| number.parse().ok()).ok_or("no number")?;
            if seen.number.is_some_and(|last| number != last + 1) {
                return Err(format!("{number} follows {:?}", seen.number));
            }
            seen.number = Some(number);
            (String::new(), number)
        };
        if publication.data == payload(channel, &epoch, number) {
            Ok(())
        } else {
            Err("another publication's payload".into())
        }
    }
}
