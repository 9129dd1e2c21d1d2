use std::collections::BTreeMap;

use flywheel_model::Channel;
use flywheel_protocol::client::{Command, Reply, ReplyBody, Request, ServerMessage};

use crate::{Effect, SubKey, Tell};

/// Checks what must hold of every session, whatever it is for. Panics with what is wrong.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub routes: BTreeMap<SubKey, Channel>,
    pub closed: bool,
    /// Id of the connect command.
    connect: Option<u32>,
    refused: bool,
    released: usize,
    registered: bool,
    joined: BTreeMap<String, i32>,
    /// Commands without a reply yet, by id.
    pub unanswered: BTreeMap<u32, usize>,
}

impl Audit {
    pub(super) fn command(&mut self, command: &Command) {
        if !self.closed && !self.refused && !matches!(command.request, Request::Send(_) | Request::Pong) {
            if matches!(command.request, Request::Connect(_)) {
                self.connect = self.connect.or(Some(command.id));
            }
            *self.unanswered.entry(command.id).or_default() += 1;
        }
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        let cleans_up = matches!(
            effect,
            Effect::Detach(..) | Effect::Tell(Tell::Leave(..) | Tell::RemovePresence(..) | Tell::Released(_))
        );
        assert!(!self.closed || cleans_up, "after the close: {effect:?}");
        match effect {
            Effect::Send(ServerMessage::Reply(reply)) => self.reply(reply),
            Effect::Send(_)
            | Effect::TransportPing
            | Effect::Ask(..)
            | Effect::Heal(_)
            | Effect::Explain(_)
            | Effect::Tell(
                Tell::AddPresence(..)
                | Tell::RefreshPresence(_)
                | Tell::RemovePresence(..)
                | Tell::SoleConnection(..),
            ) => {}
            Effect::Close(_) => self.closed = true,
            Effect::Reject(..) => {
                self.closed = true;
                // A client that listens only gets no replies.
                self.unanswered.clear();
            }
            Effect::Register(_) => {
                assert!(!std::mem::replace(&mut self.registered, true), "registered twice");
            }
            Effect::Attach(key, channel) => {
                let earlier = self.routes.insert(*key, channel.clone());
                assert_eq!(earlier, None, "{key:?} is attached twice");
            }
            Effect::Detach(key, channel) => {
                let attached = self.routes.remove(key);
                assert_eq!(attached.as_ref(), Some(channel), "{key:?} is detached from another channel");
            }
            Effect::Tell(Tell::Join(channel, _)) => {
                *self.joined.entry(channel.as_str().to_owned()).or_default() += 1;
            }
            Effect::Tell(Tell::Leave(channel, _)) => {
                let joins = self.joined.insert(channel.as_str().to_owned(), 0).unwrap_or_default();
                assert!(joins > 0, "a leave without a join in {channel}");
            }
            Effect::Tell(Tell::Released(_)) => {
                self.released += 1;
                assert_eq!(self.released, 1, "released twice");
            }
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let Some(count) = self.unanswered.get_mut(&reply.id) else {
            panic!("nobody asked for {reply:?}");
        };
        *count -= 1;
        if *count == 0 {
            self.unanswered.remove(&reply.id);
        }
        if self.connect == Some(reply.id) && matches!(reply.body, ReplyBody::Error(_)) {
            // What follows a failed connect is discarded.
            self.refused = true;
            self.unanswered.clear();
        }
    }

    /// Nothing is on its way any more: every command that deserves a reply has it.
    pub(super) fn at_rest(&self) {
        assert!(self.closed || self.unanswered.is_empty(), "without a reply: {:?}", self.unanswered);
    }

    /// The connection is over and so is all that it had.
    pub(super) fn over(&self) {
        assert!(self.routes.is_empty(), "still attached: {:?}", self.routes);
        assert!(self.joined.values().all(|joins| *joins == 0), "joined and never left: {:?}", self.joined);
    }
}
