//! Redis stands still, loses replies, or is out of reach of one node, while clients with many recoverable server-side
//! subscriptions come and go: no command stays without an answer, memory stays flat, both sides see it, and afterwards
//! everybody has everything.
//!
//! `FLYWHEEL_DRILL_CYCLES` says how often each fault happens, once if it is not set; `cargo xtask drill frozen` sets it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a drill fails by panicking, tells what it measured, and runs against the real clock"
)]

mod churn;
mod commands;
mod stage;

use std::time::{Duration, Instant};

use flywheel_testkit::drill::{Subscriber, cycles};
use flywheel_testkit::{Bound, OnReply, wait_until};
use stage::Stage;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// Publications of each node that count as going on.
const ENOUGH: usize = 20;

#[test]
fn redis_stands_still_and_goes_on() {
    let mut stage = Stage::start(2);
    (0..cycles(1)).for_each(|_| stand_still(&stage));
    stage.finish();
}

fn stand_still(stage: &Stage) {
    let fleet = &stage.fleet;
    stage.redis.freeze();
    let noticed = wait_until(PATIENCE, || fleet.nodes().all(|node| !fleet.is_ready(node)));
    assert!(noticed, "nobody noticed: {}", fleet.describe(Instant::now()));
    // New clients keep coming and get their answers.
    let answered = stage.churn.answered();
    assert!(wait_until(PATIENCE, || stage.churn.answered() > answered + 20));
    stage.redis.resume();
    let back = Instant::now();
    let recovered = wait_until(PATIENCE, || fleet.all_hear_each_other_since(back));
    assert!(recovered, "{}", fleet.describe(back));
    let bound = Bound::new("frozen", Duration::from_secs(2));
    bound.holds("everybody heard everybody", back.elapsed(), "after Redis went on");
    let ready = wait_until(PATIENCE, || fleet.nodes().all(|node| fleet.is_ready(node)));
    assert!(ready, "{}", fleet.describe(back));
}

#[test]
fn lost_replies_cost_their_calls_and_nothing_else() {
    let mut stage = Stage::start(2);
    (0..cycles(1)).for_each(|_| lose_replies(&stage));
    stage.finish();
}

fn lose_replies(stage: &Stage) {
    for command in ["EVALSHA", "SUBSCRIBE", "EVALSHA", "UNSUBSCRIBE", "ECHO"] {
        for proxy in &stage.proxies {
            proxy.on_nth(command, 0, OnReply::Swallow);
        }
        // Churn and publishers use each of them again and again.
        let since = Instant::now();
        let goes_on = wait_until(PATIENCE, || stage.fleet.fewest_accepted_since(since) >= ENOUGH);
        assert!(goes_on, "{command}: {}", stage.fleet.describe(since));
        let hears = wait_until(PATIENCE, || stage.fleet.all_hear_each_other_since(since));
        assert!(hears, "{command}: {}", stage.fleet.describe(since));
    }
    for proxy in &stage.proxies {
        proxy.on_nth("EVALSHA", 3, OnReply::Duplicate);
    }
    let since = Instant::now();
    let goes_on = wait_until(PATIENCE, || stage.fleet.fewest_accepted_since(since) >= ENOUGH);
    assert!(goes_on, "a doubled reply: {}", stage.fleet.describe(since));
}

#[test]
fn a_node_cut_off_alone_says_so_is_drained_and_its_clients_go_on_elsewhere() {
    let mut stage = Stage::start(3);
    (0..cycles(1)).for_each(|_| cut_off(&stage));
    stage.finish();
}

fn cut_off(stage: &Stage) {
    const CUT: &str = "after it was cut off";
    let fleet = &stage.fleet;
    assert!(wait_until(PATIENCE, || fleet.nodes().all(|node| fleet.is_fed(node))), "nodes never came up");
    stage.proxies[0].black_hole();
    let cut = Instant::now();
    assert!(wait_until(PATIENCE, || !fleet.is_ready(0)), "{}", fleet.describe(cut));
    Bound::new("cut off", Duration::from_secs(3)).holds("not ready", cut.elapsed(), CUT);
    assert!(wait_until(PATIENCE, || !fleet.is_fed(0)), "HAProxy goes on sending clients to it");
    Bound::new("cut off", Duration::from_secs(5)).holds("drained by HAProxy", cut.elapsed(), CUT);
    assert!(fleet.is_fed(1) && fleet.is_fed(2), "the others are drained too");
    assert!(fleet.is_ready(1) && fleet.is_ready(2), "{}", fleet.describe(cut));
    // Its clients are sent away, and all clients have what the other nodes publish from then on.
    let since = Instant::now();
    let elsewhere = wait_until(PATIENCE, || {
        fleet.clients().iter().all(|client| has_seen_from_others(fleet, client, since))
    });
    assert!(elsewhere, "{}", fleet.describe(since));
    Bound::new("cut off", Duration::from_secs(10)).holds("all clients served elsewhere", cut.elapsed(), CUT);
    // The others do not count it any more, and it does not count them.
    let names = |node: usize| {
        let info = fleet.node(node).api_result("info", &serde_json::json!({}));
        info["nodes"].as_array().unwrap().len()
    };
    assert!(wait_until(PATIENCE, || names(1) == 2 && names(2) == 2), "the others still see it");
    stage.proxies[0].heal();
    let healed = Instant::now();
    assert!(wait_until(PATIENCE, || fleet.all_hear_each_other_since(healed)), "{}", fleet.describe(healed));
    assert!(wait_until(PATIENCE, || fleet.is_ready(0) && names(0) == 3 && names(1) == 3));
}

/// Whether a client has seen, after `since`, something that another node than the first published.
fn has_seen_from_others(fleet: &flywheel_testkit::drill::Fleet, client: &Subscriber, since: Instant) -> bool {
    let seen = client.seen_since(since);
    let others = [1, 2].map(|node| fleet.publisher(node).accepted());
    others.iter().all(|accepted| {
        accepted
            .iter()
            .rev()
            .take_while(|one| one.asked > since)
            .any(|one| seen.iter().any(|(id, _)| *id == one.id))
    })
}
