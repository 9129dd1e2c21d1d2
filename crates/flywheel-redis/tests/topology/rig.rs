use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flywheel_redis::engine::{Call, Router};
use flywheel_redis::keys::key_slot;
use flywheel_redis::link::{CallError, Endpoint, LinkSettings};
use flywheel_redis::resp::{Command, Value};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_testkit::{Bound, Footprint, wait_until};
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

    /// Waits until a write works; answers how long that took.
    pub(crate) fn wait_writable(&self) -> Duration {
        let begun = Instant::now();
        let mut last = Ok(());
        let works = wait_until(PATIENCE, || {
            last = self.set("ready", "1");
            last.is_ok()
        });
        assert!(works, "never writable: {last:?}");
        begun.elapsed()
    }

    /// Waits until the reason why there is nobody to ask contains `words`; answers how long that took.
    pub(crate) fn wait_reason(&self, words: &str) -> Duration {
        let begun = Instant::now();
        let mut last = String::new();
        let found = wait_until(PATIENCE, || {
            last = self.shard.reason();
            last.contains(words)
        });
        assert!(found, "{words:?} was expected, and {last:?} is what it says");
        begun.elapsed()
    }

    /// Writes in the background, about every 5 ms for each key, until the load is stopped.
    pub(crate) fn load(&self, keys: &[&str]) -> Load {
        self.load_of(keys, Kind::default())
    }

    pub(crate) fn load_of(&self, keys: &[&str], kind: Kind) -> Load {
        let load = Load {
            state: Arc::default(),
            deadline: self.deadline,
            footprint: Footprint::start(),
            writers: keys.len(),
        };
        let payload = "x".repeat(kind.payload);
        for key in keys {
            let (state, key, payload) = (Arc::clone(&load.state), (*key).to_owned(), payload.clone());
            let (shard, context, deadline) = (Arc::clone(&self.shard), self.context.clone(), self.deadline);
            self.runtime.spawn(async move {
                let mut number = 0_u64;
                while !state.is_stopped.load(Ordering::SeqCst) {
                    number += 1;
                    let begun = Instant::now();
                    let route = Call {
                        slot: key_slot(key.as_bytes()),
                        deadline: context.now() + deadline,
                        writes: true,
                        is_repeatable: kind.is_repeatable,
                    };
                    let member = number.to_string();
                    let push = || {
                        let push = Command::new("EVAL").arg(PUSH).arg("1").arg(&key);
                        push.arg(&member).arg(&payload).checked()
                    };
                    let result = shard.call(route, &push).await;
                    state.calls.lock().push(Made {
                        key: key.clone(),
                        number,
                        begun,
                        ended: Instant::now(),
                        result,
                    });
                    state.ended.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(kind.pause).await;
                }
                state.gone.fetch_add(1, Ordering::SeqCst);
            });
        }
        load
    }
}

/// Appends to a list, and answers whose call it was.
const PUSH: &str = "redis.call('RPUSH', KEYS[1], ARGV[1]) return {KEYS[1] .. ':' .. ARGV[1], ARGV[#ARGV]}";
/// Memory that may be held more after a load than before it, in bytes.
const MEMORY: u64 = 64 << 20;

/// How to write.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Bytes beside each member.
    pub(crate) payload: usize,
    /// Whether a call may be made again although its outcome is unknown.
    pub(crate) is_repeatable: bool,
    /// Between two calls for a key.
    pub(crate) pause: Duration,
}

impl Default for Kind {
    fn default() -> Self {
        Self { payload: 0, is_repeatable: false, pause: Duration::from_millis(5) }
    }
}

pub(crate) struct Made {
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: Result<Value, CallError>,
}

impl Made {
    /// Whether the reply, if there is one, is to this call.
    fn is_own(&self) -> bool {
        let own = format!("{}:{}", self.key, self.number);
        self.result.as_ref().map_or(true, |reply| reply.items()[0].text() == Some(own.as_str()))
    }
}

pub(crate) struct Load {
    state: Arc<LoadState>,
    deadline: Duration,
    footprint: Footprint,
    writers: usize,
}

#[derive(Default)]
struct LoadState {
    is_stopped: AtomicBool,
    ended: AtomicUsize,
    gone: AtomicUsize,
    calls: Mutex<Vec<Made>>,
}

impl Load {
    /// Calls that have ended so far.
    pub(crate) fn count(&self) -> usize {
        self.state.ended.load(Ordering::SeqCst)
    }

    /// Waits for this many further calls.
    pub(crate) fn wait_more(&self, more: usize) {
        let goal = self.count() + more;
        assert!(wait_until(PATIENCE, || self.count() >= goal), "the load stands still");
    }

    /// How long after `since` the first call ended that worked, of those that ended after it.
    pub(crate) fn first_success(&self, since: Instant) -> Duration {
        self.first_success_where(since, |_| true)
    }

    /// The same for the calls for one key.
    pub(crate) fn first_success_of(&self, key: &str, since: Instant) -> Duration {
        self.first_success_where(since, |call| call.key == key)
    }

    fn first_success_where(&self, since: Instant, counts: impl Fn(&Made) -> bool) -> Duration {
        let mut found = None;
        let success = wait_until(PATIENCE * 2, || {
            let calls = self.state.calls.lock();
            let mut good =
                calls.iter().filter(|call| call.result.is_ok() && call.ended > since && counts(call));
            found = good.next().map(|call| call.ended.duration_since(since));
            found.is_some()
        });
        assert!(success, "no call worked again");
        found.unwrap()
    }

    /// When the last call ended so far that failed.
    pub(crate) fn last_failure(&self) -> Option<Instant> {
        let calls = self.state.calls.lock();
        calls.iter().filter(|call| call.result.is_err()).map(|call| call.ended).max()
    }

    /// Stops it and answers every call that was made. What every row of the matrix states is held against them: none
    /// outlived its deadline, each got its own reply, and memory is what it was.
    #[track_caller]
    pub(crate) fn stop(self, row: &str) -> Vec<Made> {
        self.state.is_stopped.store(true, Ordering::SeqCst);
        let gone = || self.state.gone.load(Ordering::SeqCst) == self.writers;
        assert!(wait_until(PATIENCE, gone), "{row}: a call never ends");
        let calls = std::mem::take(&mut *self.state.calls.lock());
        let longest = calls.iter().map(|call| call.ended - call.begun).max().unwrap_or_default();
        Bound::of_calls(row, self.deadline).holds("longest call", longest, "");
        let stray = calls.iter().find(|call| !call.is_own());
        assert!(stray.is_none(), "{row}: {:?} is another call's", stray.map(|call| &call.result));
        self.footprint.grew_at_most(row, MEMORY);
        calls
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

pub(crate) fn local(port: u16) -> Endpoint {
    Endpoint::tcp("127.0.0.1", port)
}
