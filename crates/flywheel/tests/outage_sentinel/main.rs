//! The primary of a Sentinel set goes away in every way there is, under load: all nodes follow the new one, nobody is
//! deceived, and no node says that it is ready while it is of no use.
//!
//! `FLYWHEEL_DRILL_CYCLES` says how many faults there are; `cargo xtask drill sentinel` sets it, and with
//! `FLYWHEEL_DRILL_STRICT=1` the stated times must be kept, which a busy machine may fail.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a drill fails by panicking, tells what it measured, and runs against the real clock"
)]

mod faults;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use faults::Fault;
use flywheel_testkit::drill::{Accepted, Fleet, Kept, Plan, cycles, green_while_useless, judge};
use flywheel_testkit::{Bound, MASTER_NAME, RedisServer, SentinelSet, wait_until};
use report::{Cycle, Report};
use serde_json::{Value, json};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// From the Sentinels' answer to a write on every node.
const WRITES_WITHIN: Duration = Duration::from_secs(1);
/// From the Sentinels' answer to every node hearing every other.
const HEARS_WITHIN: Duration = Duration::from_secs(2);
/// A node that is of no use may say for this long that it is ready.
const GREEN_WITHIN: Duration = Duration::from_secs(3);
/// Time between two questions about readiness with their answers, and what a busy machine adds where other tests run.
const SAMPLING: Duration = Duration::from_millis(100);
const BUSY: Duration = Duration::from_millis(500);
/// Publications of each node that must be accepted until a fault counts as survived.
const ENOUGH: usize = 10;

#[test]
fn every_node_follows_the_primary_whatever_happens_to_it() {
    let mut set = SentinelSet::start();
    let plan = Plan {
        nodes: vec![config(&set); 4],
        clients: 12,
        channels: 8,
        pause: Duration::from_millis(30),
        token: None,
    };
    let mut fleet = Fleet::start(env!("CARGO_BIN_EXE_flywheel"), &plan);
    let mut report = Report::default();
    for fault in Fault::ALL.into_iter().cycle().take(cycles(20)) {
        report.add(one_cycle(&fleet, &mut set, fault));
    }
    fleet.stop_publishing();
    let primary = &set.servers()[set.primary()];
    let arrived = fleet.wait_for_subscribers(primary, PATIENCE);
    let green = |node| green_while_useless(&fleet.samples(node), &fleet.useful(node));
    let greens = fleet.nodes().filter_map(|node| Some((node, green(node)?)));
    let (node, green) = greens.max_by_key(|(_, green)| green.end - green.start).unwrap();
    let lasted = green.end - green.start;
    report.print();
    println!("longest time ready and of no use: {lasted:?}, of node {node}, {}", report.place(green.end));
    if let Some(next) = fleet.samples(node).iter().find(|sample| sample.at > green.end) {
        println!("{:?} later it said: {}", next.at - green.end, next.body);
    }
    let broken = judge(&[], &fleet.witnesses(), &fleet.kept(primary), |_| true);
    assert!(broken.is_empty(), "{} promises broken:\n{}", broken.len(), broken.join("\n"));
    assert!(arrived, "not every subscriber stands where the streams end");
    let sampling = if Bound::is_strict() { SAMPLING } else { BUSY };
    assert!(lasted <= GREEN_WITHIN + sampling, "a node said for {lasted:?} that it is ready and did nothing");
    if Bound::is_strict() {
        report.assert_within(WRITES_WITHIN, HEARS_WITHIN);
    }
}

/// One fault, from a healthy set to a healthy set.
fn one_cycle(fleet: &Fleet, set: &mut SentinelSet, fault: Fault) -> Cycle {
    let old = set.primary();
    let began = Instant::now();
    let mut new = fault.strike(set, old);
    let mut answered = Instant::now();
    let announced = answered - began;
    let kept = loop {
        let (kept, broken) = survive(fleet, set, fault, (old, new), answered);
        // Two Sentinels may both have led an election. Then there is one switch more, of which nothing was asked: Redis
        // discards what the first winner accepted, and all of this begins anew.
        let named = set.primary();
        if named == new {
            assert!(broken.is_empty(), "{fault:?}: {}", broken.join("\n"));
            break kept;
        }
        println!("{fault:?}: the Sentinels went on to another primary by themselves");
        (new, answered) = (named, Instant::now());
    };
    let cycle = Cycle {
        fault,
        began,
        announced,
        writes: first_kept_writes(fleet, answered, &kept),
        hears: last_pair_heard(fleet, answered, &kept),
    };
    fault.mend(set, old, new);
    cycle
}

/// The fleet goes on with the server `new` instead of `old`. What `new` has, and which promises were broken.
fn survive(
    fleet: &Fleet,
    set: &SentinelSet,
    fault: Fault,
    (old, new): (usize, usize),
    answered: Instant,
) -> (BTreeMap<String, Kept>, Vec<String>) {
    let recovered = wait_until(PATIENCE, || fleet.all_hear_each_other_since(answered));
    assert!(recovered, "{fault:?}: {}", fleet.describe(answered));
    // From here on nothing that is accepted may get lost.
    let settled = answered + WRITES_WITHIN;
    let goes_on = wait_until(PATIENCE, || fleet.fewest_accepted_since(settled) >= ENOUGH);
    assert!(goes_on, "{fault:?}: {}", fleet.describe(settled));
    if fault == Fault::Frozen {
        // It is writable again, and nobody may come back to it.
        set.servers()[old].resume();
        let since = Instant::now();
        assert!(wait_until(PATIENCE, || fleet.fewest_accepted_since(since) >= ENOUGH));
    }
    // In this order: what was accepted is there when the streams are read.
    let accepted = fleet.accepted();
    let kept = fleet.kept(&set.servers()[new]);
    let mut broken = judge(&accepted, &[], &kept, |asked| asked > settled);
    if fault.leaves_old_primary_writable() {
        let astray = went_astray(fleet, &set.servers()[old], settled);
        broken.extend(astray.iter().map(|id| format!("publication {id} was written to the old primary")));
    }
    (kept, broken)
}

/// For each node, how long after `since` it first wrote something that `kept` has.
fn first_kept_writes(fleet: &Fleet, since: Instant, kept: &BTreeMap<String, Kept>) -> Vec<Duration> {
    let first = |node| {
        let accepted = fleet.publisher(node).accepted();
        let first = accepted.iter().find(|one| one.asked > since && is_kept(one, kept));
        first.map_or(Duration::MAX, |one| one.at - since)
    };
    fleet.nodes().map(first).collect()
}

/// How long after `since` the last of all pairs of nodes heard each other, by something that `kept` has.
fn last_pair_heard(fleet: &Fleet, since: Instant, kept: &BTreeMap<String, Kept>) -> Duration {
    let heard = fleet.heard_since(since, |one| is_kept(one, kept));
    heard.values().map(|at| *at - since).max().unwrap_or(Duration::MAX)
}

fn is_kept(publication: &Accepted, kept: &BTreeMap<String, Kept>) -> bool {
    let stream = kept.get(&publication.channel);
    stream.is_some_and(|stream| stream.entries.get(&publication.offset) == Some(&publication.id))
}

/// Publications asked for after `since` that this server has.
fn went_astray(fleet: &Fleet, server: &RedisServer, since: Instant) -> BTreeSet<u64> {
    let asked: BTreeSet<_> =
        fleet.accepted().into_iter().filter(|one| one.asked > since).map(|one| one.id).collect();
    let there = fleet.kept(server);
    let there = there.values().flat_map(|stream| stream.entries.values());
    there.copied().filter(|id| asked.contains(id)).collect()
}

fn config(set: &SentinelSet) -> Value {
    json!({
        "engine": {"type": "redis", "redis": {
            "sentinel_address": [set.sentinel_addresses().join(",")],
            "sentinel_master_name": MASTER_NAME,
        }},
        "client": {"allow_anonymous_connect_without_token": true},
        "http_api": {"key": Plan::KEY},
        "channel": {"without_namespace": {
            "allow_subscribe_for_client": true,
            "allow_subscribe_for_anonymous": true,
            "history_size": 50_000,
            "history_ttl": "1h",
            "force_recovery": true,
        }},
    })
}
