//! The primary of a Sentinel set goes away in every way there is, under load: all nodes follow the new one, nobody is
//! deceived, and no node says that it is ready while it is of no use.
//!
//! `FLYWHEEL_DRILL_CYCLES` says how many faults there are; `cargo xtask drill sentinel` sets it, and with
//! `FLYWHEEL_DRILL_STRICT=1` the stated times must be kept, which a busy machine may fail.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a drill fails by panicking, tells what it measured, and runs against the real clock"
)]

mod faults;
mod fleet;
mod report;

use std::time::{Duration, Instant};

use faults::Fault;
use fleet::Fleet;
use flywheel_testkit::drill::{green_while_useless, judge};
use flywheel_testkit::wait_until;
use report::{Cycle, Report};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// From the Sentinels' answer to a write on every node.
const WRITES_WITHIN: Duration = Duration::from_secs(1);
/// From the Sentinels' answer to every node hearing every other.
const HEARS_WITHIN: Duration = Duration::from_secs(2);
/// A node that is of no use may say for this long that it is ready.
const GREEN_WITHIN: Duration = Duration::from_secs(3);
/// Time between two questions about readiness, and what a busy machine adds.
const SAMPLING: Duration = Duration::from_millis(500);

#[test]
fn every_node_follows_the_primary_whatever_happens_to_it() {
    let cycles = std::env::var("FLYWHEEL_DRILL_CYCLES").map_or(5, |count| count.parse().unwrap());
    let is_strict = std::env::var("FLYWHEEL_DRILL_STRICT").is_ok_and(|strict| strict == "1");
    let mut fleet = Fleet::start();
    let mut report = Report::default();
    for fault in Fault::ALL.into_iter().cycle().take(cycles) {
        report.add(one_cycle(&mut fleet, fault));
    }
    fleet.stop_publishing();
    fleet.wait_for_subscribers(PATIENCE);
    let green = Fleet::NODES
        .map(|node| green_while_useless(&fleet.samples(node), &fleet.useful(node)))
        .max()
        .unwrap();
    report.print(green);
    let broken = judge(&[], &fleet.witnesses(), &fleet.kept(fleet.sentinels.primary()), |_| true);
    assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));
    assert!(green <= GREEN_WITHIN + SAMPLING, "a node said for {green:?} that it is ready and did nothing");
    if is_strict {
        report.assert_within(WRITES_WITHIN, HEARS_WITHIN);
    }
}

/// One fault, from a healthy set to a healthy set.
fn one_cycle(fleet: &mut Fleet, fault: Fault) -> Cycle {
    let old = fleet.sentinels.primary();
    let began = Instant::now();
    let new = fault.strike(&mut fleet.sentinels, old);
    let answered = Instant::now();
    let recovered = wait_until(PATIENCE, || fleet.all_hear_each_other_since(answered));
    assert!(recovered, "{fault:?}: {}", fleet.describe(answered));
    // From here on nothing that is accepted may get lost.
    let settled = answered + WRITES_WITHIN;
    let goes_on = wait_until(PATIENCE, || fleet.accepted_since(settled) >= 10 * Fleet::NODES.len());
    assert!(goes_on, "{fault:?}: {}", fleet.describe(settled));

    if fault == Fault::Frozen {
        // It is writable again, and nobody may come back to it.
        fleet.sentinels.servers()[old].resume();
        let since = Instant::now();
        assert!(wait_until(PATIENCE, || fleet.accepted_since(since) >= 10 * Fleet::NODES.len()));
    }
    // In this order: what was accepted is there when the streams are read.
    let accepted = fleet.accepted();
    let kept = fleet.kept(new);
    let broken = judge(&accepted, &[], &kept, |asked| asked > settled);
    assert!(broken.is_empty(), "{fault:?}: {}", broken.join("\n"));
    if fault.leaves_old_primary_writable() {
        let astray = fleet.went_astray(old, settled);
        assert!(astray.is_empty(), "{fault:?}: written to the old primary: {astray:?}");
    }
    let cycle = Cycle {
        fault,
        announced: answered - began,
        writes: fleet.first_kept_write_since(answered, &kept),
        hears: fleet.last_pair_heard_since(answered, &kept),
    };
    fault.mend(&mut fleet.sentinels, old, new);
    cycle
}
