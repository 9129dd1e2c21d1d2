use std::io::{self, IoSlice};

/// Where bytes stand in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const EMPTY: Self = Self { start: 0, end: 0 };

    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    fn of(self, arena: &[u8]) -> &[u8] {
        arena.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A queue whose socket takes no more would grow beyond its bound; nothing was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is written.
    All,
    /// The socket takes no more; the rest waits for [`Outbox::writable`].
    Blocked,
}

/// What one connection has still to be sent. Without heap memory while it keeps up.
#[derive(Debug, Default)]
struct Queue {
    /// The first range of this tick.
    first: Option<Span>,
    overdue: Option<Box<Overdue>>,
    bytes: usize,
    dirty: bool,
    blocked: bool,
}

/// What makes a queue more than one range.
#[derive(Debug, Default)]
struct Overdue {
    /// Bytes of earlier ticks, of which `written` are out.
    backlog: Vec<u8>,
    written: usize,
    /// Ranges of this tick after the first.
    more: Vec<Span>,
}

/// The write side of a shard: an arena for everything that is sent in this tick, a queue of ranges per connection, and
/// the list of connections that have something to write.
///
/// Per tick: [`append`](Self::append) frames, [`push`](Self::push) them, [`flush`](Self::flush) each of
/// [`take_dirty`](Self::take_dirty), [`end_tick`](Self::end_tick). What a socket does not take is copied into its
/// connection's backlog, so that the arena can be used again.
#[derive(Debug)]
pub struct Outbox {
    arena: Vec<u8>,
    queues: Vec<Queue>,
    dirty: Vec<u32>,
    queue_bytes_max: usize,
}

/// Memory that the arena keeps between ticks.
const ARENA_KEPT: usize = 1 << 20;
/// Beyond this the arena should be flushed before more is appended.
const ARENA_FULL: usize = 512 << 10;
/// Ranges handed to the socket in one call.
const SLICES_MAX: usize = 64;

impl Outbox {
    /// No queue may hold more than `queue_bytes_max` bytes, beside those of the tick in which its socket stops taking more.
    pub fn new(queue_bytes_max: usize) -> Self {
        Self { arena: Vec::new(), queues: Vec::new(), dirty: Vec::new(), queue_bytes_max }
    }

    /// Sets the bound for what is queued from now on.
    pub fn set_queue_bytes_max(&mut self, queue_bytes_max: usize) {
        self.queue_bytes_max = queue_bytes_max;
    }

    /// Gives the connection in `slot` an empty queue.
    pub fn open(&mut self, slot: u32) {
        let index = slot as usize;
        if self.queues.len() <= index {
            self.queues.resize_with(index + 1, Queue::default);
        }
        // A slot that was dirty when it was closed is still on the list.
        let dirty = self.queues[index].dirty;
        self.queues[index] = Queue { dirty, ..Queue::default() };
    }

    /// Forgets what was queued for `slot`.
    pub fn close(&mut self, slot: u32) {
        self.open(slot);
    }

    /// Puts bytes into the arena, for any number of queues until the end of this tick.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = offset(self.arena.len());
        write(&mut self.arena);
        Span { start, end: offset(self.arena.len()) }
    }

    /// Whether it is time to flush although the tick is not over.
    pub fn is_full(&self) -> bool {
        self.arena.len() >= ARENA_FULL
    }

    /// Queues bytes of the arena for a connection.
    ///
    /// As long as nothing is known of a socket that takes no more, all of a tick is accepted: how much is too much shows
    /// when it is flushed, before the arena [is full](Self::is_full).
    ///
    /// # Errors
    /// [`Overflow`] when the socket takes no more and the queue would hold more than it may.
    pub fn push(&mut self, slot: u32, span: Span) -> Result<(), Overflow> {
        let Some(queue) = self.queues.get_mut(slot as usize) else {
            return Ok(());
        };
        queue.bytes += span.len();
        if queue.bytes > self.queue_bytes_max && queue.blocked {
            queue.bytes -= span.len();
            return Err(Overflow);
        }
        let last = match &mut queue.overdue {
            Some(overdue) if !overdue.more.is_empty() => overdue.more.last_mut(),
            _ => queue.first.as_mut(),
        };
        match last {
            None => queue.first = Some(span),
            // Frames that follow each other in the arena are one range.
            Some(last) if last.end == span.start => last.end = span.end,
            Some(_) => queue.overdue.get_or_insert_default().more.push(span),
        }
        if !queue.dirty {
            queue.dirty = true;
            self.dirty.push(slot);
        }
        Ok(())
    }

    /// Bytes queued for `slot`.
    pub fn queued(&self, slot: u32) -> usize {
        self.queues.get(slot as usize).map_or(0, |queue| queue.bytes)
    }

    /// Whether the socket of `slot` took only part of what it was given.
    pub fn is_blocked(&self, slot: u32) -> bool {
        self.queues.get(slot as usize).is_some_and(|queue| queue.blocked)
    }

    /// Drops what is queued for `slot`, as for a client that does not read.
    pub fn discard(&mut self, slot: u32) {
        if let Some(queue) = self.queues.get_mut(slot as usize) {
            *queue = Queue { dirty: queue.dirty, blocked: queue.blocked, ..Queue::default() };
        }
    }

    /// The connections that have something to write, each once. Give the vector back with
    /// [`end_tick`](Self::end_tick).
    pub fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// Writes what is queued for `slot` with as few calls as possible.
    ///
    /// # Errors
    /// Those of `write`, except that it would block.
    pub fn flush(
        &mut self,
        slot: u32,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Flushed> {
        let Some(queue) = self.queues.get_mut(slot as usize) else {
            return Ok(Flushed::All);
        };
        queue.dirty = false;
        let result = loop {
            if queue.bytes == 0 {
                break Ok(Flushed::All);
            }
            if queue.blocked {
                break Ok(Flushed::Blocked);
            }
            let written = match (queue.first, &queue.overdue) {
                (Some(only), None) => write(&[IoSlice::new(only.of(&self.arena))]),
                _ => write(&queue.slices(&self.arena)),
            };
            match written {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => queue.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => queue.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        queue.settle(&self.arena);
        result
    }

    /// The socket of `slot` takes bytes again: the next flush will try.
    pub fn writable(&mut self, slot: u32) {
        if let Some(queue) = self.queues.get_mut(slot as usize) {
            queue.blocked = false;
        }
    }

    /// Everything dirty has been flushed: the arena begins anew.
    pub fn end_tick(&mut self, mut dirty: Vec<u32>) {
        dirty.clear();
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
        self.arena.clear();
        self.arena.shrink_to(ARENA_KEPT);
    }
}

/// The arena is flushed long before it has four gibibytes: [`ARENA_FULL`] plus one message.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Queue {
    fn slices<'a>(&'a self, arena: &'a [u8]) -> Vec<IoSlice<'a>> {
        let (backlog, more) = match &self.overdue {
            Some(overdue) => (&overdue.backlog[overdue.written..], overdue.more.as_slice()),
            None => (&[][..], &[][..]),
        };
        let spans = self.first.iter().chain(more).map(|span| span.of(arena));
        std::iter::once(backlog)
            .chain(spans)
            .filter(|bytes| !bytes.is_empty())
            .take(SLICES_MAX)
            .map(IoSlice::new)
            .collect()
    }

    /// `count` bytes are out.
    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        if let Some(overdue) = &mut self.overdue {
            let of_backlog = count.min(overdue.backlog.len() - overdue.written);
            overdue.written += of_backlog;
            count -= of_backlog;
        }
        if let Some(first) = &mut self.first {
            count -= shorten(first, count);
        }
        if let Some(overdue) = &mut self.overdue {
            for span in &mut overdue.more {
                count -= shorten(span, count);
            }
        }
    }

    /// The tick ends: what is left of it moves into the backlog.
    fn settle(&mut self, arena: &[u8]) {
        if self.bytes == 0 {
            self.first = None;
            self.overdue = None;
            return;
        }
        let overdue = self.overdue.get_or_insert_default();
        if overdue.written > 0 && overdue.written * 2 >= overdue.backlog.len() {
            overdue.backlog.drain(..std::mem::take(&mut overdue.written));
        }
        for span in self.first.take().into_iter().chain(overdue.more.drain(..)) {
            overdue.backlog.extend_from_slice(span.of(arena));
        }
    }
}

/// Takes up to `count` bytes off the front; answers how many.
fn shorten(span: &mut Span, count: usize) -> usize {
    let taken = count.min(span.len());
    span.start += offset(taken);
    if span.len() == 0 {
        *span = Span { start: span.end, ..Span::EMPTY };
        span.end = span.start;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outbox() -> Outbox {
        let mut outbox = Outbox::new(1000);
        outbox.open(0);
        outbox.open(1);
        outbox
    }

    fn push(outbox: &mut Outbox, slots: &[u32], text: &str) {
        let span = outbox.append(|arena| arena.extend_from_slice(text.as_bytes()));
        for slot in slots {
            outbox.push(*slot, span).unwrap();
        }
    }

    /// Flushes everything dirty into sockets that take at most `room` bytes each; answers the number of calls.
    fn tick(outbox: &mut Outbox, sockets: &mut [Vec<u8>], room: usize) -> usize {
        let mut calls = 0;
        let dirty = outbox.take_dirty();
        for slot in &dirty {
            let socket = &mut sockets[*slot as usize];
            let mut left = room;
            outbox
                .flush(*slot, |slices| {
                    calls += 1;
                    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                    let count = bytes.len().min(left);
                    left -= count;
                    socket.extend_from_slice(&bytes[..count]);
                    if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
                })
                .unwrap();
        }
        outbox.end_tick(dirty);
        calls
    }

    #[test]
    fn a_burst_that_all_get_is_one_write_each() {
        let mut outbox = outbox();
        for _ in 0..32 {
            push(&mut outbox, &[0, 1], "frame;");
        }
        let mut sockets = vec![Vec::new(), Vec::new()];
        assert_eq!(tick(&mut outbox, &mut sockets, usize::MAX), 2);
        assert_eq!(sockets[0], "frame;".repeat(32).as_bytes());
        assert_eq!(sockets[0], sockets[1]);
        assert_eq!(outbox.queued(0), 0);
    }

    #[test]
    fn what_the_socket_does_not_take_is_written_later_and_in_order() {
        let mut outbox = outbox();
        let mut sockets = vec![Vec::new(), Vec::new()];
        push(&mut outbox, &[0], "abc");
        tick(&mut outbox, &mut sockets, 1);
        assert_eq!(outbox.queued(0), 2);
        push(&mut outbox, &[0], "def");
        assert_eq!(tick(&mut outbox, &mut sockets, 100), 0, "a blocked socket is left alone");
        outbox.writable(0);
        push(&mut outbox, &[0], "g");
        tick(&mut outbox, &mut sockets, 100);
        assert_eq!(sockets[0], b"abcdefg");
        assert!(outbox.queues[0].overdue.is_none(), "an empty queue holds no memory");
    }

    #[test]
    fn a_queue_has_a_bound() {
        let mut outbox = outbox();
        let mut sockets = vec![Vec::new(), Vec::new()];
        let span = outbox.append(|arena| arena.resize(600, 0));
        outbox.push(0, span).unwrap();
        tick(&mut outbox, &mut sockets, 0);
        let span = outbox.append(|arena| arena.resize(600, 0));
        assert_eq!(outbox.push(0, span), Err(Overflow));
        assert_eq!(outbox.queued(0), 600);
        outbox.discard(0);
        assert_eq!(outbox.queued(0), 0);
    }

    #[test]
    fn a_burst_beyond_the_bound_is_the_business_of_a_socket_that_takes_it() {
        let mut outbox = outbox();
        let mut sockets = vec![Vec::new(), Vec::new()];
        let span = outbox.append(|arena| arena.resize(600, 0));
        (0..5).for_each(|_| outbox.push(0, span).unwrap());
        tick(&mut outbox, &mut sockets, 2900);
        assert_eq!((sockets[0].len(), outbox.queued(0)), (2900, 100));
        let span = outbox.append(|arena| arena.resize(600, 0));
        outbox.push(0, span).unwrap();
        assert_eq!(outbox.push(0, span), Err(Overflow), "it takes no more");
    }

    #[test]
    fn a_slot_used_again_in_the_same_tick_sends_nothing_of_its_predecessor() {
        let mut outbox = outbox();
        let mut sockets = vec![Vec::new(), Vec::new()];
        push(&mut outbox, &[0], "old");
        outbox.close(0);
        outbox.open(0);
        push(&mut outbox, &[0], "new");
        tick(&mut outbox, &mut sockets, 100);
        assert_eq!(sockets[0], b"new");
    }

    proptest! {
        #[test]
        fn every_socket_gets_its_bytes_in_order_whatever_it_takes(
            steps in prop::collection::vec((0u8..4, 1usize..40, 1usize..60), 1..60)
        ) {
            let mut outbox = Outbox::new(usize::MAX);
            let mut sockets = vec![Vec::new(), Vec::new()];
            let mut expected = vec![Vec::new(), Vec::new()];
            (0..2).for_each(|slot| outbox.open(slot));
            for (number, (who, length, room)) in steps.into_iter().enumerate() {
                let text = format!("{number}:{}", "x".repeat(length));
                let slots: &[u32] = match who { 0 => &[0], 1 => &[1], _ => &[0, 1] };
                push(&mut outbox, slots, &text);
                for slot in slots {
                    expected[*slot as usize].extend_from_slice(text.as_bytes());
                }
                if who == 3 {
                    (0..2).for_each(|slot| outbox.writable(slot));
                    tick(&mut outbox, &mut sockets, room);
                }
            }
            (0..2).for_each(|slot| outbox.writable(slot));
            push(&mut outbox, &[0, 1], "end");
            expected.iter_mut().for_each(|bytes| bytes.extend_from_slice(b"end"));
            tick(&mut outbox, &mut sockets, usize::MAX);
            prop_assert_eq!(sockets, expected);
        }
    }
}
