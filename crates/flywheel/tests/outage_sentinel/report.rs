use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::faults::Fault;

/// What one fault cost.
pub(crate) struct Cycle {
    pub(crate) fault: Fault,
    pub(crate) began: Instant,
    /// From the fault until a Sentinel named the new primary.
    pub(crate) announced: Duration,
    /// From then to the first write of each node that the new primary has.
    pub(crate) writes: Vec<Duration>,
    /// From then until every node had heard every other.
    pub(crate) hears: Duration,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Report(BTreeMap<Fault, Vec<Cycle>>);

impl Report {
    pub(crate) fn add(&mut self, cycle: Cycle) {
        self.0.entry(cycle.fault).or_default().push(cycle);
    }

    /// Prints the medians and the worst, for people.
    pub(crate) fn print(&self) {
        println!("fault      cycles  announced    write: median     worst    hear: median     worst");
        for (fault, cycles) in &self.0 {
            let announced = Spread::of(cycles.iter().map(|cycle| cycle.announced));
            let writes = Spread::of(cycles.iter().flat_map(|cycle| cycle.writes.iter().copied()));
            let hears = Spread::of(cycles.iter().map(|cycle| cycle.hears));
            println!(
                "{:<10} {:>6} {:>10?} {:>16?} {:>9?} {:>15?} {:>9?}",
                format!("{fault:?}"),
                cycles.len(),
                announced.median,
                writes.median,
                writes.worst,
                hears.median,
                hears.worst
            );
        }
    }

    /// Which fault an instant belongs to, in words.
    pub(crate) fn place(&self, at: Instant) -> String {
        let before = self.0.values().flatten().filter(|cycle| cycle.began <= at);
        let cycle = before.max_by_key(|cycle| cycle.began);
        cycle.map_or("before any fault".to_owned(), |cycle| {
            format!(
                "until {:?} after a fault: {:?}, announced after {:?}",
                at - cycle.began,
                cycle.fault,
                cycle.announced
            )
        })
    }

    /// Fails when a cycle took longer.
    pub(crate) fn assert_within(&self, writes: Duration, hears: Duration) {
        for cycle in self.0.values().flatten() {
            let fault = cycle.fault;
            assert!(
                cycle.writes.iter().all(|took| *took <= writes),
                "{fault:?}: writes after {:?}",
                cycle.writes
            );
            assert!(cycle.hears <= hears, "{fault:?}: heard after {:?}", cycle.hears);
        }
    }
}

struct Spread {
    median: Duration,
    worst: Duration,
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let round =
            |time: Duration| Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let mut times: Vec<_> = times.map(round).collect();
        times.sort_unstable();
        let zero = Duration::ZERO;
        Self {
            median: times.get(times.len() / 2).copied().unwrap_or(zero),
            worst: times.last().copied().unwrap_or(zero),
        }
    }
}
