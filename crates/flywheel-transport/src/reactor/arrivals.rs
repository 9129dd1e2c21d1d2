//! Connections that come: from the listener, and from whoever read their first request.

use std::io;
use std::sync::Arc;

use super::Reactor;
use crate::adoption::Adoption;
use crate::application::Application;
use crate::io::Alarm;
use crate::socket::Stage;

const ACCEPTS_PER_TURN: usize = 256;

impl<A: Application> Reactor<A> {
    pub(super) fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            self.accept_again = false;
            return;
        };
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    match self.io.insert(stream, Stage::Handshake(None), Arc::clone(&self.settings.limits)) {
                        Ok(key) => {
                            let at = self.io.now().at + self.settings.handshake_timeout;
                            self.io.alarms.set(at, (key, Alarm::Handshake));
                        }
                        Err(error) => tracing::warn!(%error, "cannot watch a connection"),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_again = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // No descriptors, no memory: tried again in a while. Epoll would not tell about those who wait.
                Err(error) => return tracing::warn!(%error, "cannot accept a connection"),
            }
        }
    }

    pub(super) fn adopt(&mut self) {
        let Some(adoptions) = &self.adoptions else {
            return;
        };
        let mut adopted = Vec::new();
        adoptions.drain(&mut adopted);
        adoptions.release(adopted.len());
        for Adoption { stream, mut read, deflate, context, response } in adopted {
            let limits = self.limits(&context);
            let stage = match response {
                // Whoever sent more already gets no answer to it on this connection.
                Some(reusable) => Stage::Stream { reusable: reusable && read.is_empty() },
                None => Self::new_websocket(&limits, deflate),
            };
            let inserted = stream
                .set_nonblocking(true)
                .and_then(|()| self.io.insert(mio::net::TcpStream::from_std(stream), stage, limits));
            match inserted {
                Ok(key) => {
                    self.app.outbox().open(key.slot);
                    self.app.opened(&mut self.io, key, context);
                    self.frames(key.slot, &mut read);
                    // Epoll tells only what comes from now on.
                    self.io.ready.push(key.slot);
                }
                Err(error) => tracing::warn!(%error, "cannot adopt a connection"),
            }
        }
    }
}
