//! An engine that answers later than it is asked again.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers fail the test")]

use std::sync::Arc;
use std::time::Duration;

use flywheel_auth::{TokenSettings, Verifier};
use flywheel_engine::{Answer, Call, Fault, FaultyEngine, MemoryEngine, MemoryLimits, Presence};
use flywheel_model::{Channel, ClientInfo};
use flywheel_node::{Access, Node, NodeParts, Routes, Undo};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_session::{Ask, Outcome, Settings, SubscribePlan, Tell};
use tokio::runtime::Runtime;

struct World {
    runtime: Runtime,
    engine: Arc<FaultyEngine>,
    memory: Arc<MemoryEngine>,
    node: Arc<Node>,
}

impl World {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (clock, tasks) = (Clock::system(), Tasks::new(runtime.handle().clone()));
        let routes = Routes::new(Vec::new());
        let (sink, random) = (Arc::clone(&routes), Random::seeded(1));
        let memory = Arc::new(MemoryEngine::new(sink, clock.clone(), random, MemoryLimits::default()));
        let engine = Arc::new(FaultyEngine::new(Arc::clone(&memory)));
        let tokens = Arc::new(Verifier::new(TokenSettings::default()).unwrap());
        let access = Access {
            anonymous_without_token: true,
            user_connection_limit: Some(1),
            ..Access::with_tokens(tokens)
        };
        let parts = NodeParts::alone(&engine, routes, clock, tasks);
        let node = Node::new(parts, Settings::default(), access);
        Self { runtime, engine, memory, node }
    }

    fn hold(&self, held: &'static [Call]) {
        self.engine.set(move |call| if held.contains(&call) { Fault::Hold } else { Fault::None });
    }

    /// Lets held calls go on until nothing is left to do.
    fn settle(&self) {
        for _ in 0..1000 {
            self.engine.release();
            if self.node.tasks().count() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the node never comes to rest");
    }

    fn present(&self) -> usize {
        let Answer::Now(stats) = self.memory.stats(&channel()) else {
            panic!("memory answers at once");
        };
        stats.unwrap().clients
    }

    fn add(&self) {
        self.node.tell(Tell::AddPresence(channel(), info()));
    }

    fn remove(&self) {
        self.node.tell(Tell::RemovePresence(channel(), "c1".into()));
    }

    /// A subscription of the client, on its way.
    fn subscribe(&self) -> tokio::task::JoinHandle<Outcome> {
        let plan = SubscribePlan { channel: channel(), presence: Some(info()), history: None };
        let answer = self.node.ask(Ask::Subscribe(Box::new(plan)));
        self.runtime.spawn(answer.wait())
    }
}

fn channel() -> Channel {
    Channel::from("room")
}

fn info() -> Box<ClientInfo> {
    Box::new(ClientInfo { user: "42".into(), client: "c1".into(), conn_info: None, chan_info: None })
}

#[test]
fn a_presence_entry_that_is_removed_is_not_added_by_a_slower_call_made_before() {
    let world = World::new();
    world.hold(&[Call::AddPresence]);
    world.add();
    world.remove();
    world.settle();
    assert_eq!(world.present(), 0);
    world.add();
    world.remove();
    world.add();
    world.settle();
    assert_eq!(world.present(), 1);
}

#[test]
fn a_client_that_goes_while_it_is_added_is_not_present_after_that() {
    for held in [&[Call::Subscribe][..], &[Call::AddPresence], &[Call::Subscribe, Call::AddPresence]] {
        let world = World::new();
        world.hold(held);
        let subscribed = world.subscribe();
        world.remove();
        while !subscribed.is_finished() {
            world.engine.release();
            std::thread::sleep(Duration::from_millis(1));
        }
        let outcome = world.runtime.block_on(subscribed).unwrap();
        assert!(matches!(outcome, Outcome::Subscribed(Ok(None))), "{outcome:?}");
        world.settle();
        assert_eq!(world.present(), 0, "{held:?}");
    }
}

#[test]
fn an_answer_for_nobody_is_undone() {
    let world = World::new();
    let outcome = world.runtime.block_on(world.subscribe()).unwrap();
    assert_eq!(world.present(), 1);
    world.node.undo(Undo::Subscribed(channel(), Some("c1".into())), &outcome);
    world.settle();
    assert_eq!(world.present(), 0);

    let admit = || match world.node.ask(Ask::Admit("42".into())) {
        Answer::Now(outcome) => outcome,
        Answer::Later(_) => panic!("the node counts at once"),
    };
    let outcome = admit();
    assert!(matches!(admit(), Outcome::Admitted(Err(_))), "one connection is the limit");
    world.node.undo(Undo::Admitted("42".into()), &outcome);
    assert!(matches!(admit(), Outcome::Admitted(Ok(()))));
}

#[test]
fn a_line_behind_a_call_that_never_ends_moves_on_after_its_deadline() {
    let world = World::new();
    world.hold(&[Call::AddPresence]);
    world.add();
    world.hold(&[]);
    world.remove();
    world.add();
    let moved = (0..3000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        world.node.tasks().count() == 0
    });
    assert!(moved, "stuck behind a call that never ends");
    assert_eq!(world.present(), 1);
}
