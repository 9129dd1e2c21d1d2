use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::dump;
use super::guard::{Deed, Guard, Silence, words};
use crate::Node;

/// Threads outside the runtime that look after the node; they end when this is dropped.
///
/// One judges and reports, for which it takes locks. The other one takes none, writes nothing, and looks after the first one
/// too.
#[derive(Debug)]
pub struct Watchdog {
    node: Weak<Node>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time between two beats of the runtime.
const BEAT_EVERY: Duration = Duration::from_millis(250);
/// Time for the log to take the last words of a process. Whoever reads it may be why the process is stuck.
const LAST_WORDS: Duration = Duration::from_secs(1);
const LAST_WORDS_STEP: Duration = Duration::from_millis(10);

impl Watchdog {
    /// Looks at `node` and goes on doing so. `abort` ends the process; it is called when a thread has been stuck for
    /// [`abort_after`](crate::HealthSettings::abort_after), and at most once.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(node: &Arc<Node>, abort: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let beating = Arc::downgrade(node);
        node.tasks().spawn_background(async move {
            let mut ticks = tokio::time::interval(BEAT_EVERY);
            while let Some(node) = beating.upgrade() {
                node.runtime_pulse().beat(node.clock().now().at);
                drop(node);
                ticks.tick().await;
            }
        });
        node.check_health();
        let stop = Arc::new(AtomicBool::new(false));
        let mut watchdog = Self { node: Arc::downgrade(node), threads: Vec::new(), stop };
        watchdog.look("flywheel-watchdog", node, |node| {
            node.check_health();
            true
        })?;
        let mut guard = Guard::new(node.clock().now().at);
        let mut abort = Some(abort);
        watchdog.look("flywheel-guard", node, move |node| match node.guarded(&mut guard) {
            None => true,
            Some(Deed::Dump(stuck)) => {
                drop(write_down(stuck, "threads are stuck"));
                true
            }
            Some(Deed::Abort(stuck)) => {
                speak_last_words(stuck);
                abort.take().into_iter().for_each(|abort| abort());
                false
            }
        })?;
        Ok(watchdog)
    }

    /// A thread that does `look` again and again, until it answers `false`.
    fn look(
        &mut self,
        name: &str,
        node: &Arc<Node>,
        mut look: impl FnMut(&Node) -> bool + Send + 'static,
    ) -> io::Result<()> {
        let (node, stop) = (Arc::downgrade(node), Arc::clone(&self.stop));
        let looks = move || {
            while !stop.load(Ordering::Relaxed) {
                let Some(node) = node.upgrade() else { return };
                if !look(&node) {
                    return;
                }
                drop(node);
                std::thread::park_timeout(LOOK_EVERY);
            }
        };
        self.threads.push(Builder::new().name(name.to_owned()).spawn(looks)?);
        Ok(())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watchdog panicked");
            }
        }
        // What was decided since its last look, such as that the process is drained.
        if let Some(node) = self.node.upgrade() {
            node.write_down();
        }
    }
}

impl Node {
    /// Looks, without a lock, whether there is anything to be done about the threads.
    fn guarded(&self, guard: &mut Guard) -> Option<Deed> {
        let now = self.clock().now().at;
        let mut all = self.silences(now);
        let lasts = self.health.watchdog.silent_for(now);
        all.push(Silence { name: "the watchdog".to_owned(), thread: None, lasts });
        guard.look(now, all, self.health.abort_after())
    }
}

/// Writes down what there is to be seen of the threads, in one of its own: the log may be what they are stuck in.
fn write_down(stuck: Vec<Silence>, what: &'static str) -> io::Result<JoinHandle<()>> {
    Builder::new().name("flywheel-dump".to_owned()).spawn(move || {
        tracing::error!(threads = %words(&stuck).join(", "), "{what}");
        let stuck_for = |number: u32| stuck.iter().find(|silence| silence.thread == Some(number));
        // In one line, so that no bound on how often a line may come leaves a part of it out.
        let states = dump::threads().into_iter().map(|thread| {
            let stuck = stuck_for(thread.number).map_or(String::new(), |silence| {
                format!("stuck for {} ms as {}, ", silence.lasts.as_millis(), silence.name)
            });
            let dump::ThreadState { number, name, state, waits_in, call, switches, scheduled } = thread;
            let (left, put_off) = switches;
            format!(
                "{name} [{number}]: {stuck}state {state}, waits in {waits_in:?}, call {call:?}, gave way {left} times, \
                 was put off {put_off} times, scheduled {scheduled:?}"
            )
        });
        let states: Vec<_> = states.collect();
        tracing::error!(states = %states.join("; "), "what the threads of the process do");
    })
}

/// Says why the process ends, if somebody listens.
fn speak_last_words(stuck: Vec<Silence>) {
    let Ok(writing) = write_down(stuck, "the process is ended: threads are stuck, and its clients with them")
    else {
        return;
    };
    let mut waited = Duration::ZERO;
    while !writing.is_finished() && waited < LAST_WORDS {
        std::thread::sleep(LAST_WORDS_STEP);
        waited += LAST_WORDS_STEP;
    }
}
