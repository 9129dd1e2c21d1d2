//! `dial`: whole lives of clients. Connect, upgrade, authenticate, subscribe, reset.

use anyhow::Result;

use crate::load::{Script, Step};
use crate::{client, wire};

/// How far the life of a client has come, and all it ever says.
pub(crate) struct Dial {
    state: State,
    upgrade: Vec<u8>,
    connect: Vec<u8>,
    subscribe: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Upgrading,
    Connecting,
    Subscribing,
}

impl Dial {
    /// A client that has not begun.
    pub(crate) fn new() -> Self {
        Self::subscribing_with(wire::subscribe_command(wire::CHANNEL))
    }

    /// A client that has not begun, and what it will say to subscribe.
    pub(crate) fn subscribing_with(subscribe: Vec<u8>) -> Self {
        Self {
            state: State::Upgrading,
            upgrade: wire::upgrade_request(),
            connect: wire::connect_command(),
            subscribe,
        }
    }
}

impl Script for Dial {
    fn begin(&mut self) -> &[u8] {
        self.state = State::Upgrading;
        &self.upgrade
    }

    fn received(&mut self, bytes: &[u8]) -> Result<Step<'_>> {
        let answered = match self.state {
            State::Upgrading => wire::is_upgraded(bytes)?,
            State::Connecting => client::is_replied(bytes, 1)?,
            State::Subscribing => client::is_replied(bytes, 2)?,
        };
        if !answered {
            return Ok(Step::Wait);
        }
        Ok(match self.state {
            State::Upgrading => {
                self.state = State::Connecting;
                Step::Say(&self.connect)
            }
            State::Connecting => {
                self.state = State::Subscribing;
                Step::Say(&self.subscribe)
            }
            State::Subscribing => Step::Close,
        })
    }
}
