//! Every order in which the threads on the way of a subscription may go on: a shard, publishers and the tasks that wait for
//! an engine. Nothing is missed, nobody sleeps for ever, and nothing stays behind of whoever has gone.
//!
//! The cells and the protocol between them are those of the crates, compiled once more with loom's atomics and locks; the
//! shard's hub and its sessions, which no other thread touches, are the crates' own. What each order of steps is good for is
//! shown beside it, by a model in which a step is missing or comes too late, and which has to fail.
#![expect(clippy::panic, clippy::unwrap_used, reason = "test support fails the test by panicking")]
#![allow(dead_code, unreachable_pub, reason = "the cells are compiled whole, and used in part")]

// The sources name their cells by these crates. Here this crate stands in for them, so that they find loom's.
extern crate flywheel_runtime as real_runtime;
extern crate self as flywheel_runtime;
extern crate self as parking_lot;
extern crate self as tokio;
extern crate tokio as real_tokio;

#[path = "../../src/attendance.rs"]
mod attendance;
#[path = "../../../flywheel-runtime/src/bell.rs"]
mod bell;
#[path = "../../../flywheel-runtime/tests/interleavings/sync.rs"]
mod cells;
mod far;
#[path = "../../../flywheel-runtime/src/mailbox.rs"]
mod mailbox;
#[path = "../../../flywheel-runtime/src/marks.rs"]
mod marks;
mod node;
#[path = "../../src/order.rs"]
mod order;
#[path = "../../src/post.rs"]
mod post;
#[path = "../../src/routes.rs"]
mod routes;
mod shard;
#[path = "../../../flywheel-runtime/tests/interleavings/shard.rs"]
mod sleep;
mod stripes;
mod sync;
mod tasks;
mod time;
#[path = "../../src/verdict.rs"]
mod verdict;
mod world;

pub(crate) use bell::Bell;
pub(crate) use cells::Mutex;
pub(crate) use flywheel_node::ApiError;
pub(crate) use mailbox::{Full, Mailbox};
pub(crate) use marks::Marks;
pub(crate) use post::{Mail, ShardPost, Undo};
pub(crate) use real_runtime::Pulse;
pub(crate) use routes::Routes;
pub(crate) use stripes::Stripes;
pub(crate) use tasks::Tasks;

use std::time::Duration;

use flywheel_engine::Sink as _;
use flywheel_model::Channel;
use flywheel_session::SubscribePlan;
use loom::thread::spawn;

use sleep::model_within;
use world::{World, spawn_shard};

/// Switches between threads at points where none has to wait. All the faults that are planted here show with two of them;
/// with three, all orders take some minutes.
const SWITCHES: usize = 2;

/// A client comes back to two channels of one shard while others publish into both.
fn come_back(flaw: shard::Flaw) {
    const CHANNELS: [&str; 2] = ["log:a", "log:b"];
    model_within(SWITCHES, move || {
        let world = World::new(far::Flaw::None);
        CHANNELS.iter().for_each(|name| world.far.publish_there(&Channel::from(*name)));
        let publishing = world.far.clone();
        let publisher = spawn(move || {
            CHANNELS.iter().for_each(|name| publishing.publish_there(&Channel::from(*name)));
        });
        let worker = world.work();
        let within = world.clone();
        let shard = spawn_shard(move || {
            let mut shard = within.shard(flaw);
            shard.connect(&CHANNELS);
            shard.turn();
            while shard.seen.values().map(Vec::len).sum::<usize>() < 4 {
                within.rest(flaw);
                shard.turn();
            }
            assert!(shard.seen.values().all(|offsets| *offsets == [1, 2]), "{:?}", shard.seen);
            shard.end();
            within.settle(&mut shard);
        });
        [publisher, worker, shard].into_iter().for_each(|thread| thread.join().unwrap());
        world.check_empty();
    });
}

#[test]
fn a_client_that_comes_back_to_two_channels_of_a_shard_in_a_storm_misses_nothing() {
    come_back(shard::Flaw::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_channel_that_is_routed_after_its_history_was_read_misses_what_came_between() {
    come_back(shard::Flaw::RoutesLate);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_shard_that_looks_too_early_sleeps_over_an_answer() {
    come_back(shard::Flaw::LooksTooEarly);
}

/// A client subscribes to a channel with presence, and joins and leaves, and is gone before or after the answer.
fn go_early(flaw: shard::Flaw) {
    model_within(SWITCHES, move || {
        let world = World::new(far::Flaw::None);
        let workers = [world.work(), world.work()];
        let within = world.clone();
        let shard = spawn_shard(move || {
            let mut shard = within.shard(flaw);
            shard.connect(&[]);
            shard.subscribe("room:a");
            shard.turn();
            shard.end();
            within.settle(&mut shard);
        });
        shard.join().unwrap();
        workers.into_iter().for_each(|thread| thread.join().unwrap());
        world.check_empty();
        let attended =
            world.far.look(|server| server.attended.iter().map(|(_, joined)| *joined).collect::<Vec<_>>());
        assert!(attended.is_empty() || attended == [true, false], "joined and left: {attended:?}");
    });
}

#[test]
fn of_a_client_that_goes_while_it_is_subscribed_nothing_is_left() {
    go_early(shard::Flaw::None);
}

#[test]
#[should_panic(expected = "heard for nobody")]
fn a_late_answer_that_nobody_undoes_keeps_a_channel_for_nobody() {
    go_early(shard::Flaw::KeepsTheGone);
}

#[test]
#[should_panic(expected = "joined and left")]
fn a_client_that_is_said_to_leave_out_of_turn_leaves_before_it_joins() {
    go_early(shard::Flaw::JumpsTheQueue);
}

/// The last subscriber of one shard goes while the first of another comes.
fn change_places(flaw: far::Flaw) {
    model_within(SWITCHES, move || {
        let world = World::new(flaw);
        let channel = Channel::from("log:a");
        world.routes.add(&channel, 0);
        let leaving = world.clone();
        let about = channel.clone();
        let leaves = spawn(move || leaving.attendance.unroute(&about, 0));
        let workers = [world.work(), world.work()];
        // The main thread is the other shard.
        world.attendance.route(&channel, 1);
        let plan = SubscribePlan { channel: channel.clone(), presence: None, history: None };
        let subscribed = world.attendance.subscribe(plan, Duration::ZERO);
        world.tasks.spawn(async move { drop(subscribed.wait().await.unwrap()) });
        leaves.join().unwrap();
        world.tasks.settle();
        world.tasks.close();
        workers.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(world.routes.has_subscribers(&channel));
        assert!(world.far.look(|server| server.heard.contains(&channel)), "nobody hears what is wanted");
    });
}

#[test]
fn a_channel_that_one_shard_leaves_while_another_comes_is_heard() {
    change_places(far::Flaw::None);
}

#[test]
#[should_panic(expected = "nobody hears what is wanted")]
fn a_channel_that_is_given_up_without_another_look_is_heard_by_nobody() {
    change_places(far::Flaw::GivesUpBlindly);
}
