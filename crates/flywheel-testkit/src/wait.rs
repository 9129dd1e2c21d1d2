use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Polls until the condition holds; false when it did not within the time.
#[must_use = "whether the condition held is for the test to judge"]
pub fn wait_until(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port of 127.0.0.1 that nobody listens on.
///
/// It lies below the ports that the kernel gives to outgoing connections, so that a test with thousands of clients
/// cannot take it while a server restarts.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let candidate = 20_000 + (std::process::id().wrapping_mul(37).wrapping_add(step)) % 12_000;
        let port = u16::try_from(candidate).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_ends_at_the_deadline() {
        assert!(!wait_until(Duration::from_millis(30), || false));
        let mut rounds = 0;
        assert!(wait_until(Duration::from_secs(5), || {
            rounds += 1;
            rounds == 3
        }));
    }

    #[test]
    fn a_free_port_can_be_bound_and_a_second_one_differs() {
        let first = free_port();
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert_ne!(first, free_port());
    }
}
