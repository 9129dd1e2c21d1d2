//! Callers who come and go: what somebody wants is subscribed to in the end, and what nobody wants is not.

use std::sync::Arc;

use loom::thread::{JoinHandle, spawn};

use super::connection::{Task, come, go, subscribe};
use super::ops::Ops;
use crate::Mutex;
use crate::seen::model_seeing;
use crate::shard::model;

/// What a caller does, or the task, other than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The task leaves without asking whether anybody came back.
    LeavesUnasked,
    /// Who comes says so after he asked.
    ComesLate,
    /// Who goes says so after he asked.
    GoesLate,
    /// Whose request may have been overtaken does not ask again.
    AsksOnce,
}

/// The callers' side, as the node's routes are: who wants the channel, which the task asks before it leaves.
#[derive(Clone)]
struct Routes {
    count: Arc<Mutex<usize>>,
    ops: Arc<Ops>,
    fault: Fault,
}

impl Routes {
    fn new(fault: Fault) -> Self {
        Self { count: Arc::default(), ops: Arc::new(Ops::new(10)), fault }
    }

    fn task(&self) -> Task<Ops> {
        let routes = self.clone();
        Task::new(&self.ops, move || routes.fault != Fault::LeavesUnasked && *routes.count.lock() > 0)
    }

    fn spawn(&self, act: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let routes = self.clone();
        spawn(move || act(&routes))
    }

    fn come(&self) {
        self.come_with(|| come(&*self.ops));
    }

    fn subscribe(&self) {
        self.come_with(|| assert_eq!(subscribe(&*self.ops), Some(Ok(()))));
    }

    fn come_with(&self, ask: impl FnOnce()) {
        if self.fault == Fault::ComesLate {
            ask();
            *self.count.lock() += 1;
        } else {
            *self.count.lock() += 1;
            ask();
        }
    }

    fn go(&self) {
        if self.fault == Fault::GoesLate {
            let is_last = *self.count.lock() == 1;
            go(&*self.ops, is_last);
            *self.count.lock() -= 1;
        } else {
            let is_last = self.leave();
            go(&*self.ops, is_last);
        }
    }

    /// Answers whether nobody is left.
    fn leave(&self) -> bool {
        let mut count = self.count.lock();
        *count -= 1;
        *count == 0
    }

    /// The task is at rest: it and the server must agree with the callers.
    fn check(&self, task: &Task<Ops>) -> &'static str {
        let known = (task.knows(), task.server.is_subscribed);
        if *self.count.lock() > 0 {
            assert_eq!(known, (true, true), "what somebody wants is not heard");
        } else {
            assert_eq!(known, (false, false), "what nobody wants is heard");
        }
        if task.server.times_left == 0 { "never left" } else { "left" }
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// One comes, goes, and comes back.
fn one_comes_back() -> &'static str {
    let routes = Routes::new(Fault::None);
    let coming = routes.spawn(|routes| {
        routes.come();
        routes.go();
        routes.subscribe();
    });
    let mut task = routes.task();
    task.run(3, 1);
    join([coming]);
    routes.check(&task)
}

/// One comes and goes while another one comes to stay.
fn one_stays(fault: Fault) -> &'static str {
    let routes = Routes::new(fault);
    let going = routes.spawn(|routes| {
        routes.come();
        routes.go();
    });
    let staying = routes.spawn(Routes::subscribe);
    let mut task = routes.task();
    task.run(3, 1);
    join([going, staying]);
    routes.check(&task)
}

/// Two come and go.
fn nobody_stays(fault: Fault) -> &'static str {
    let routes = Routes::new(fault);
    let going = [(), ()].map(|()| {
        routes.spawn(|routes| {
            routes.come();
            routes.go();
        })
    });
    let mut task = routes.task();
    task.run(4, 1);
    join(going);
    routes.check(&task)
}

/// One comes, and is gone before he has asked: to leave may overtake to subscribe, after which it is asked for again.
fn one_overtakes_himself(fault: Fault) -> &'static str {
    let routes = Routes::new(fault);
    *routes.count.lock() = 1;
    let asking = routes.spawn(|routes| {
        drop(subscribe(&*routes.ops));
        let is_last = routes.fault != Fault::AsksOnce && *routes.count.lock() == 0;
        go(&*routes.ops, is_last);
    });
    let going = routes.spawn(Routes::go);
    let mut task = routes.task();
    task.run(3, 1);
    join([asking, going]);
    routes.check(&task)
}

#[test]
fn who_comes_back_is_heard_whether_or_not_it_was_left_meanwhile() {
    model_seeing(&["left", "never left"], |seen| seen.saw(one_comes_back()));
}

#[test]
fn who_stays_is_heard_although_another_one_goes() {
    model_seeing(&["left", "never left"], |seen| seen.saw(one_stays(Fault::None)));
}

#[test]
fn what_nobody_wants_is_left() {
    model_seeing(&["left"], |seen| seen.saw(nobody_stays(Fault::None)));
}

#[test]
fn what_was_left_before_it_was_asked_for_is_left_again() {
    model_seeing(&["left"], |seen| seen.saw(one_overtakes_himself(Fault::None)));
}

#[test]
#[should_panic(expected = "what somebody wants is not heard")]
fn a_task_that_leaves_without_asking_leaves_who_came_back() {
    model(|| {
        one_stays(Fault::LeavesUnasked);
    });
}

#[test]
#[should_panic(expected = "what somebody wants is not heard")]
fn who_asks_before_he_can_be_found_is_left() {
    model(|| {
        one_stays(Fault::ComesLate);
    });
}

#[test]
#[should_panic(expected = "what nobody wants is heard")]
fn who_asks_to_leave_while_he_can_be_found_is_kept() {
    model(|| {
        nobody_stays(Fault::GoesLate);
    });
}

#[test]
#[should_panic(expected = "what nobody wants is heard")]
fn who_was_overtaken_and_does_not_ask_again_is_kept() {
    model(|| {
        one_overtakes_himself(Fault::AsksOnce);
    });
}
