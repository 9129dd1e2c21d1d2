use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bounds how many calls are under way, and what waits behind them: first come, first served.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: Semaphore,
    waiting_bytes: AtomicUsize,
    waiting_bytes_max: usize,
}

/// There is no room to wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// What a call that waits costs beside its body, in bytes: its task and headers.
const CALL_BYTES: usize = 4096;

impl Gate {
    pub(crate) fn new(calls_max: usize, waiting_bytes_max: usize) -> Self {
        let permits = Semaphore::new(calls_max.clamp(1, Semaphore::MAX_PERMITS));
        Self { permits, waiting_bytes: AtomicUsize::new(0), waiting_bytes_max }
    }

    /// Lets a call with a body of so many bytes in. Whoever stops waiting gives its room back.
    pub(crate) async fn enter(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Full> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let _place = Place::take(self, bytes.saturating_add(CALL_BYTES))?;
        self.permits.acquire().await.map_err(|_closed| Full)
    }
}

/// Room taken by a call that waits.
struct Place<'g> {
    gate: &'g Gate,
    bytes: usize,
}

impl<'g> Place<'g> {
    fn take(gate: &'g Gate, bytes: usize) -> Result<Self, Full> {
        let before = gate.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let place = Self { gate, bytes };
        if before.saturating_add(bytes) > gate.waiting_bytes_max { Err(Full) } else { Ok(place) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_comes_too_many_waits_and_who_finds_no_room_to_wait_is_refused() {
        let gate = Gate::new(1, 2 * CALL_BYTES);
        let Poll::Ready(Ok(inside)) = poll(pin!(gate.enter(0))) else { panic!("the first one gets in") };
        let mut second = pin!(gate.enter(0));
        let mut third = Box::pin(gate.enter(0));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        assert!(matches!(poll(pin!(gate.enter(0))), Poll::Ready(Err(Full))));
        // One that gives up makes room for one that comes.
        drop(third);
        let mut fourth = pin!(gate.enter(0));
        assert!(poll(fourth.as_mut()).is_pending());
        drop(inside);
        assert!(poll(fourth.as_mut()).is_pending(), "the second one waited longer");
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_body_too_big_to_wait_may_still_go_at_once() {
        let gate = Gate::new(1, 10);
        assert!(matches!(poll(pin!(gate.enter(1 << 30))), Poll::Ready(Ok(_))));
    }
}
