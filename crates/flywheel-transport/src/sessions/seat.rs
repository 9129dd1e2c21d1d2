//! What a shard keeps of a connection beside its session, and how the response of a stream begins.

use std::sync::Arc;

use super::Sessions;
use crate::Io;
use crate::door::Pass;
use crate::endpoint::{Farewell, Statuses};
use crate::welcome::Response;

/// What a shard keeps of a connection beside its session.
#[derive(Debug)]
pub(super) struct Seat {
    _pass: Pass,
    pub farewell: Farewell,
    /// A response that has not begun.
    pub late: Option<Box<Late>>,
}

/// A response that begins when the connect request has succeeded, and otherwise is another one.
#[derive(Debug)]
pub(super) struct Late {
    head: Vec<u8>,
    pub statuses: Arc<Statuses>,
    pub cors: String,
}

/// Before the first event. Source: client protocol, section 8.1.
const PROLOGUE: &[u8] = b"\r\n";

impl Sessions {
    /// Begins the response of a stream, or puts it off until it is clear what it is.
    pub(super) fn take_seat(
        &mut self,
        io: &mut Io,
        slot: u32,
        pass: Pass,
        farewell: Farewell,
        response: Option<Response>,
    ) {
        let mut late = None;
        if let Some(Response { head, statuses, cors, .. }) = response {
            match statuses {
                None => self.begin_response(io, slot, &head),
                Some(statuses) => late = Some(Box::new(Late { head, statuses, cors })),
            }
        }
        let index = slot as usize;
        if self.seats.len() <= index {
            self.seats.resize_with(index + 1, || None);
        }
        self.seats[index] = Some(Seat { _pass: pass, farewell, late });
    }

    /// Something is to be sent: a response that was put off begins.
    pub(super) fn begin_late(&mut self, io: &mut Io, slot: u32) {
        let seat = self.seats.get_mut(slot as usize).and_then(Option::as_mut);
        if let Some(late) = seat.and_then(|seat| seat.late.take()) {
            self.begin_response(io, slot, &late.head);
        }
    }

    /// Writes the head at once: what comes behind it may take its time, and must not be discarded with it.
    fn begin_response(&mut self, io: &mut Io, slot: u32, head: &[u8]) {
        let Some(form) = self.hub.get(slot).map(flywheel_hub::Client::form) else {
            return;
        };
        let span = self.hub.outbox.append(|arena| {
            arena.extend_from_slice(head);
            if form.is_events() {
                form.write_raw(PROLOGUE, arena);
            }
        });
        if self.hub.outbox.push(slot, span).is_err() {
            return io.drop_connection(slot);
        }
        io.flush_one(&mut self.hub.outbox, slot);
    }
}
