//! Nodes that do not hear, are not heard, or cannot serve.

use std::sync::atomic::Ordering;
use std::time::Duration;

use flywheel_node::HealthSettings;

use crate::world::{World, health, wait_for};

#[test]
fn a_mute_node_is_not_ready_and_the_others_are_without_it() {
    let world = World::new(3, health());
    let [mute, other, third] = &world.nodes[..] else { unreachable!() };
    mute.faults.mute.store(true, Ordering::SeqCst);
    wait_for("the mute node is not ready", || !mute.is_ready());
    assert_eq!(
        mute.reasons(),
        "cluster: messages to all nodes do not come back: they get lost, or nothing is received"
    );
    wait_for("the others drop it", || other.sees() == ["n1", "n2"] && third.sees() == ["n1", "n2"]);
    assert_eq!(mute.distrusted.lock().len(), 1, "whoever carries its messages is told once");
    mute.faults.mute.store(false, Ordering::SeqCst);
    wait_for("all is well again", || {
        world.nodes.iter().all(|node| node.is_ready() && node.sees().len() == 3)
    });
}

#[test]
fn a_node_that_only_hears_itself_learns_from_the_lists_of_the_others() {
    let world = World::new(3, health());
    let [sick, other, third] = &world.nodes[..] else { unreachable!() };
    sick.faults.heard_by_itself_only.store(true, Ordering::SeqCst);
    wait_for("the node is not ready", || !sick.is_ready());
    assert_eq!(sick.reasons(), "cluster: 2 of 2 nodes that are heard do not hear this one");
    assert!(other.is_ready() && third.is_ready(), "{} {}", other.reasons(), third.reasons());
}

#[test]
fn a_deaf_node_is_not_ready_and_those_that_it_does_not_hear_are() {
    let world = World::new(2, health());
    let [deaf, other] = &world.nodes[..] else { unreachable!() };
    deaf.faults.deaf.store(true, Ordering::SeqCst);
    wait_for("the deaf node is not ready and alone", || !deaf.is_ready() && deaf.sees() == ["n0"]);
    assert_eq!(other.sees(), ["n0", "n1"], "it is still heard");
    // Long enough for the other to be misled by two rounds of a wrong list, were it to believe a node that is sick.
    for round in 0..3 {
        let pings = || deaf.node.metrics().render();
        let before = pings();
        wait_for("another ping", || pings() != before);
        assert!(other.is_ready(), "round {round}: {}", other.reasons());
    }
}

#[test]
fn a_node_that_cannot_send_says_so() {
    let world = World::new(2, health());
    world.nodes[0].faults.cut_off.store(true, Ordering::SeqCst);
    wait_for("it is not ready", || !world.nodes[0].is_ready());
    assert_eq!(world.nodes[0].reasons(), "cluster: messages to other nodes cannot be sent");
}

#[test]
fn a_node_whose_messages_are_never_confirmed_goes_on_to_ping() {
    // What is promised with the three seconds between pings of real nodes; these are faster.
    const PAUSE_MAX: Duration = Duration::from_secs(4);
    let world = World::new(2, health());
    let [doubtful, other] = &world.nodes[..] else { unreachable!() };
    doubtful.faults.withheld.store(true, Ordering::SeqCst);
    let before = doubtful.attempts.lock().len();
    wait_for("four more pings", || doubtful.attempts.lock().len() >= before + 4);
    let attempts = doubtful.attempts.lock().clone();
    let pauses: Vec<_> = attempts.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.iter().all(|pause| *pause <= PAUSE_MAX), "{pauses:?}");
    assert_eq!(doubtful.reasons(), "cluster: messages to other nodes cannot be sent");
    assert!(other.is_ready(), "{}", other.reasons());
    doubtful.faults.withheld.store(false, Ordering::SeqCst);
    wait_for("all is well again", || doubtful.is_ready() && other.sees().len() == 2);
}

#[test]
fn a_node_with_stuck_shards_still_pings_and_says_what_is_wrong() {
    let settings = HealthSettings { stuck_after: Duration::from_secs(3), ..health() };
    let world = World::new(2, settings);
    let [stuck, other] = &world.nodes[..] else { unreachable!() };
    assert_eq!(stuck.node.stuck_threads(), Vec::<String>::new());
    stuck.stuck.store(true, Ordering::SeqCst);
    wait_for("it is not ready", || !stuck.is_ready());
    assert!(stuck.reasons().starts_with("threads: shard 0 has not turned for "), "{}", stuck.reasons());
    wait_for("it is not alive", || !stuck.node.stuck_threads().is_empty());
    assert_eq!(other.sees(), ["n0", "n1"], "all that time it was heard");
    assert!(other.is_ready());
    stuck.stuck.store(false, Ordering::SeqCst);
    wait_for("it is well again", || stuck.is_ready() && stuck.node.stuck_threads().is_empty());
}

#[test]
fn a_node_that_stays_stuck_is_ended_once_it_was_so_for_the_limit() {
    let settings = HealthSettings { abort_after: Some(Duration::from_secs(5)), ..health() };
    let world = World::new(2, settings);
    let [stuck, other] = &world.nodes[..] else { unreachable!() };
    stuck.stuck.store(true, Ordering::SeqCst);
    wait_for("it is not ready", || !stuck.is_ready());
    assert_eq!(stuck.aborts.load(Ordering::SeqCst), 0, "it may come back");
    wait_for("it is ended", || stuck.aborts.load(Ordering::SeqCst) > 0);
    assert!(!stuck.is_ready() && other.is_ready());
    assert_eq!(other.aborts.load(Ordering::SeqCst), 0);
}

#[test]
fn a_node_is_ended_also_when_what_is_stuck_is_its_judge() {
    let settings = HealthSettings { abort_after: Some(Duration::from_secs(3)), ..health() };
    let world = World::new(1, settings);
    let node = &world.nodes[0];
    assert_eq!(node.node.stuck_threads(), Vec::<String>::new());
    node.database.hangs.store(true, Ordering::SeqCst);
    wait_for("it is ended", || node.aborts.load(Ordering::SeqCst) > 0);
    node.database.hangs.store(false, Ordering::SeqCst);
}

#[test]
fn a_node_that_cannot_serve_hands_its_clients_over_once_and_takes_clients_again() {
    let settings = HealthSettings { hand_over_after: Some(Duration::from_millis(300)), ..health() };
    let world = World::new(2, settings);
    let [sick, other] = &world.nodes[..] else { unreachable!() };
    sick.database.down.store(true, Ordering::SeqCst);
    wait_for("it hands over", || sick.was_told("Depart") == 1);
    assert_eq!(sick.was_told("Depart(Disconnect { code: 3011, reason: \"force reconnect\" }, 700ms)"), 1);
    assert_eq!(sick.reasons(), "database: connection refused");
    assert!(sick.node.refuses_clients() && !other.node.refuses_clients());
    sick.database.down.store(false, Ordering::SeqCst);
    wait_for("it takes clients again", || sick.was_told("Stay") == 1 && !sick.node.refuses_clients());
    assert_eq!((sick.was_told("Depart"), other.was_told("Depart")), (1, 0));
}

#[test]
fn when_no_node_can_serve_nobody_hands_over() {
    let settings = HealthSettings { hand_over_after: Some(Duration::from_millis(300)), ..health() };
    let world = World::new(2, settings);
    for node in &world.nodes {
        node.database.down.store(true, Ordering::SeqCst);
    }
    wait_for("both know that the other cannot serve", || world.nodes.iter().all(|node| !node.is_ready()));
    world.nodes[0].database.down.store(false, Ordering::SeqCst);
    wait_for("there is somewhere to go", || world.nodes[1].was_told("Depart") > 0);
    assert_eq!(world.nodes[0].was_told("Depart"), 0);
}

#[test]
fn a_node_that_is_drained_tells_the_others_that_it_is_not_fit() {
    let settings = HealthSettings { hand_over_after: Some(Duration::from_millis(300)), ..health() };
    let world = World::new(2, settings);
    let [drained, sick] = &world.nodes[..] else { unreachable!() };
    drained.node.drain(flywheel_node::DrainedBy::Api);
    assert!(!drained.is_ready() && drained.was_told("Stay") == 0);
    wait_for("its clients go", || drained.was_told("code: 3001") == 1);
    sick.database.down.store(true, Ordering::SeqCst);
    wait_for("the other is not ready", || !sick.is_ready());
    assert!(drained.node.undo_drain() && !drained.node.undo_drain());
    wait_for("now there is somewhere to go", || sick.was_told("Depart") == 1);
    wait_for("the drained one lets clients stay", || drained.was_told("Stay") == 1);
}

#[test]
fn a_node_that_leaves_is_gone_at_once() {
    let world = World::new(3, health());
    world.runtime.block_on(world.nodes[0].node.leave_cluster());
    wait_for("the others know", || world.nodes[1..].iter().all(|node| node.sees() == ["n1", "n2"]));
    let lost = world.nodes[1].node.metrics().render();
    assert!(lost.contains("flywheel_nodes_lost_total 0"), "it was not found out by silence");
}
