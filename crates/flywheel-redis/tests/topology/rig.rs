use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flywheel_redis::engine::{Call, Router};
use flywheel_redis::keys::key_slot;
use flywheel_redis::link::{CallError, Endpoint, LinkSettings};
use flywheel_redis::resp::{Command, Value};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_testkit::wait_until;
use parking_lot::Mutex;

/// How long a condition may take that usually takes a tenth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A shard with a runtime of its own.
pub(crate) struct Rig {
    runtime: tokio::runtime::Runtime,
    pub(crate) shard: Arc<Shard>,
    pub(crate) context: Context,
    deadline: Duration,
}

impl Rig {
    pub(crate) fn start(settings: ShardSettings) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        // The second test of a process finds one set.
        drop(tracing_subscriber::fmt().with_test_writer().with_ansi(false).try_init());
        let tasks = Tasks::new(runtime.handle().clone());
        let context = Context { clock: Clock::system(), random: Arc::new(Random::system()), tasks };
        let shard = {
            let _inside = runtime.enter();
            Shard::start(settings, &context)
        };
        Self { runtime, shard, context, deadline: Duration::from_millis(1_500) }
    }

    pub(crate) fn at(port: u16) -> Self {
        Self::start(ShardSettings::new(Seeds::Server(local(port)), LinkSettings::default()))
    }

    /// The same with a deadline of this length for calls.
    pub(crate) fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    pub(crate) fn route(&self, key: &[u8]) -> Call {
        let deadline = self.context.now() + self.deadline;
        Call { slot: key_slot(key), deadline, writes: true, is_repeatable: false }
    }

    pub(crate) fn call(
        &self,
        key: &[u8],
        make: impl Fn() -> Command + Send + Sync,
    ) -> Result<Value, CallError> {
        self.runtime.block_on(self.shard.call(self.route(key), &make))
    }

    pub(crate) fn set(&self, key: &str, value: &str) -> Result<(), CallError> {
        self.call(key.as_bytes(), || Command::new("SET").arg(key).arg(value)).map(drop)
    }

    /// Waits until a write works.
    pub(crate) fn wait_writable(&self) {
        let mut last = Ok(());
        let works = wait_until(PATIENCE, || {
            last = self.set("ready", "1");
            last.is_ok()
        });
        assert!(works, "never writable: {last:?}");
    }

    /// Waits until the reason why there is nobody to ask contains `words`.
    pub(crate) fn wait_reason(&self, words: &str) {
        let mut last = String::new();
        let found = wait_until(PATIENCE, || {
            last = self.shard.reason();
            last.contains(words)
        });
        assert!(found, "{words:?} was expected, and {last:?} is what it says");
    }

    /// Writes in the background, about every 5 ms for each key, until the load is stopped.
    pub(crate) fn load(&self, keys: &[&str]) -> Load {
        let load = Load(Arc::new(LoadState {
            stopped: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            calls: Mutex::default(),
        }));
        for key in keys {
            let (state, key) = (Arc::clone(&load.0), (*key).to_owned());
            let (shard, context, deadline) = (Arc::clone(&self.shard), self.context.clone(), self.deadline);
            self.runtime.spawn(async move {
                let mut number = 0_u64;
                while !state.stopped.load(Ordering::SeqCst) {
                    number += 1;
                    let begun = Instant::now();
                    let route = Call {
                        slot: key_slot(key.as_bytes()),
                        deadline: context.now() + deadline,
                        writes: true,
                        is_repeatable: false,
                    };
                    let member = number.to_string();
                    let result = shard.call(route, &|| Command::new("RPUSH").arg(&key).arg(&member)).await;
                    state.calls.lock().push(Made {
                        key: key.clone(),
                        number,
                        begun,
                        ended: Instant::now(),
                        result,
                    });
                    state.acknowledged.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        load
    }
}

pub(crate) struct Made {
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: Result<Value, CallError>,
}

pub(crate) struct Load(Arc<LoadState>);

struct LoadState {
    stopped: AtomicBool,
    acknowledged: AtomicUsize,
    calls: Mutex<Vec<Made>>,
}

impl Load {
    /// Calls that have ended so far.
    pub(crate) fn count(&self) -> usize {
        self.0.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits for this many further calls.
    pub(crate) fn wait_more(&self, more: usize) {
        let goal = self.count() + more;
        assert!(wait_until(PATIENCE, || self.count() >= goal), "the load stands still");
    }

    /// How long after `since` the first call that was begun after it and worked ended.
    pub(crate) fn first_success(&self, since: Instant) -> Duration {
        let mut found = None;
        let success = wait_until(PATIENCE * 2, || {
            let calls = self.0.calls.lock();
            let mut good = calls.iter().filter(|call| call.result.is_ok() && call.ended > since);
            found = good.next().map(|call| call.ended.duration_since(since));
            found.is_some()
        });
        assert!(success, "no call worked again");
        found.unwrap()
    }

    /// Stops it and answers every call that was made.
    pub(crate) fn stop(self) -> Vec<Made> {
        self.0.stopped.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        std::mem::take(&mut *self.0.calls.lock())
    }
}

/// Errors among the calls, in words.
pub(crate) fn errors(calls: &[Made]) -> Vec<String> {
    let texts = calls.iter().filter_map(|call| {
        let error = call.result.as_ref().err()?;
        Some(format!("{} #{} after {:?}: {error}", call.key, call.number, call.ended - call.begun))
    });
    texts.collect()
}

/// Panics when a call lasted longer than its deadline allows, by far.
pub(crate) fn assert_in_time(calls: &[Made], deadline: Duration) {
    let longest = calls.iter().map(|call| call.ended - call.begun).max().unwrap_or_default();
    println!("longest call: {longest:?}");
    assert!(longest < deadline + Duration::from_secs(1), "a call outlived its deadline: {longest:?}");
}

pub(crate) fn local(port: u16) -> Endpoint {
    Endpoint::tcp("127.0.0.1", port)
}
