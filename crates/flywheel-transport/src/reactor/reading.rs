//! Reads connections.

use std::io::{self, Read};
use std::panic::AssertUnwindSafe;

use super::Reactor;
use crate::application::Application;
use crate::socket::Stage;

pub(super) const SCRATCH_BYTES: usize = 256 << 10;
/// Reads of one connection before the others have their turn.
const READS_PER_TURN: usize = 8;

impl<A: Application> Reactor<A> {
    /// Reads a connection. A panic there is a bug of ours, and ends that connection alone.
    pub(super) fn read(&mut self, slot: u32, to_the_end: bool) {
        let guarded = AssertUnwindSafe(|| self.read_all(slot, to_the_end));
        if std::panic::catch_unwind(guarded).is_err() {
            tracing::error!(slot, "a panic ended a connection");
            (self.panicked)();
            self.scratch.resize(SCRATCH_BYTES, 0);
            self.io.dead.push(slot);
        }
    }

    /// Reads what there is. `to_the_end`: epoll said more than that there are bytes, so that a short read is not the end.
    fn read_all(&mut self, slot: u32, to_the_end: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for round in 0.. {
            let Some(socket) = self.io.socket(slot).filter(|socket| !socket.paused) else {
                break;
            };
            if round == READS_PER_TURN {
                self.io.ready.push(slot);
                break;
            }
            match socket.stream.read(&mut scratch) {
                Ok(0) => {
                    self.peer_ended(slot);
                    break;
                }
                Ok(count) => {
                    self.received(slot, &mut scratch[..count]);
                    if count < SCRATCH_BYTES && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.io.dead.push(slot);
                    break;
                }
            }
        }
        self.scratch = scratch;
    }

    fn received(&mut self, slot: u32, bytes: &mut [u8]) {
        let Some(socket) = self.io.socket(slot) else {
            return;
        };
        match &mut socket.stage {
            Stage::Handshake(_) => self.handshake(slot, bytes),
            Stage::Open(_) => self.frames(slot, bytes),
            // Nothing is to be said on it before the response has ended; what is, is not heard.
            Stage::Stream { reusable } => *reusable = false,
            Stage::Lingering => {}
        }
    }

    /// The peer will send no more.
    fn peer_ended(&mut self, slot: u32) {
        self.end(slot);
        self.io.dead.push(slot);
    }
}
