use std::sync::{Mutex, PoisonError};

use flywheel_runtime::Clock;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lets a line of the log that is written again and again through a few times a second, so that a service that is out of
/// reach does not fill the disk at the rate of the calls that it fails. Lines for developers, `debug` and below, all pass.
#[derive(Debug)]
pub(crate) struct Flood {
    clock: Clock,
    /// One for each place in the code that has written so far. Guards nothing else and is held for a search.
    places: Mutex<Vec<Place>>,
}

/// How often each place may write in a second.
const LINES_PER_SECOND: u64 = 20;

#[derive(Debug)]
struct Place {
    metadata: &'static Metadata<'static>,
    second: u64,
    written: u64,
    left_out: u64,
}

/// Lines of one place that were not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The module that would have written them.
    pub(crate) module: &'static str,
    /// Where in its file.
    pub(crate) line: u32,
    /// How many.
    pub(crate) count: u64,
}

impl Flood {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, places: Mutex::default() }
    }

    /// Whether one more line of this place is written.
    pub(crate) fn admits(&self, metadata: &'static Metadata<'static>) -> bool {
        if *metadata.level() > Level::INFO {
            return true;
        }
        let second = self.clock.elapsed().as_secs();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let known = places.iter().position(|place| identity(place.metadata) == identity(metadata));
        let index = known.unwrap_or_else(|| {
            places.push(Place { metadata, second, written: 0, left_out: 0 });
            places.len() - 1
        });
        let Some(place) = places.get_mut(index) else { return true };
        if place.second != second {
            (place.second, place.written) = (second, 0);
        }
        if place.written < LINES_PER_SECOND {
            place.written += 1;
            return true;
        }
        place.left_out += 1;
        false
    }

    /// What was left out since this was last asked.
    pub(crate) fn take_left_out(&self) -> Vec<LeftOut> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let some = places.iter_mut().filter(|place| place.left_out > 0);
        some.map(|place| LeftOut {
            module: place.metadata.target(),
            line: place.metadata.line().unwrap_or_default(),
            count: std::mem::take(&mut place.left_out),
        })
        .collect()
    }
}

fn identity(metadata: &Metadata<'_>) -> Identifier {
    metadata.callsite()
}

/// A flood that is shared with whoever reports on it.
#[derive(Debug, Clone)]
pub(crate) struct Gate(pub(crate) std::sync::Arc<Flood>);

impl<S: Subscriber> Layer<S> for Gate {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        self.0.admits(event.metadata())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use flywheel_model::Now;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Runs `act` with a log that goes through the gate; answers what was written.
    fn written(flood: &Arc<Flood>, act: impl FnOnce()) -> usize {
        let lines = Arc::new(Mutex::new(0));
        let log =
            tracing_subscriber::registry().with(Counter(Arc::clone(&lines))).with(Gate(Arc::clone(flood)));
        tracing::subscriber::with_default(log, act);
        let lines = lines.lock().unwrap();
        *lines
    }

    struct Counter(Arc<Mutex<usize>>);

    impl<S: Subscriber> Layer<S> for Counter {
        fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn a_line_that_repeats_is_left_out_counted_and_written_again_a_second_later() {
        let clock = Clock::manual(Now::default());
        let flood = Arc::new(Flood::new(clock.clone()));
        let lines = written(&flood, || {
            for _ in 0..100 {
                tracing::error!("again");
                tracing::debug!("for developers");
            }
            tracing::warn!("something else");
        });
        assert_eq!(lines, 20 + 100 + 1);
        let left_out = flood.take_left_out();
        assert_eq!(left_out.iter().map(|place| place.count).collect::<Vec<_>>(), [80]);
        assert_eq!(left_out.first().map(|place| place.module), Some(module_path!()));
        assert_eq!(flood.take_left_out(), []);
        let again = || tracing::error!("again");
        clock.advance(Duration::from_secs(1));
        assert_eq!(written(&flood, again), 1);
    }
}
