//! What calls and messages cost on this side of the wire: `cargo run --release -p flywheel-redis --example load --
//! 127.0.0.1:6379 [TASKS] [SECONDS]`. Writes into the server's database under the prefix `load`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for developers, which ends when a step fails"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flywheel_engine::{Broker, PublishOptions, Sink};
use flywheel_model::{Channel, ChannelEvent, Payload, Publication};
use flywheel_redis::engine::{EngineParts, RedisEngine, RedisOptions};
use flywheel_redis::link::LinkSettings;
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_stream::Retention;

const KEEP: Retention =
    Retention { size: 100, ttl: Duration::from_mins(1), meta_ttl: Duration::from_mins(10) };
const CHANNELS: u64 = 100;

#[derive(Default)]
struct Counter(AtomicU64);

impl Sink for Counter {
    fn deliver(&self, _event: ChannelEvent) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn gap(&self, _channel: &Channel) {}

    fn has_subscribers(&self, _channel: &Channel) -> bool {
        true
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:6379".into());
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (tasks_count, seconds) = (number(256u64), number(5u64));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (clock, random) = (Clock::system(), Arc::new(Random::system()));
    let tasks = Tasks::new(runtime.handle().clone());
    let context = Context { clock: clock.clone(), random: Arc::clone(&random), tasks: tasks.clone() };
    let link = LinkSettings::default();
    let engine = |prefix: &str| {
        let sink = Arc::new(Counter::default());
        let seeds = Seeds::Server(address.parse().unwrap());
        let router = Shard::start(ShardSettings::new(seeds, link.clone()), &context);
        let options = RedisOptions { prefix: prefix.into(), ..RedisOptions::default() };
        let engine = RedisEngine::start(EngineParts {
            uid: "load".into(),
            shards: vec![(router, link.clone())],
            options,
            sink: sink.clone(),
            control: None,
            clock: clock.clone(),
            random: Arc::clone(&random),
            tasks: tasks.clone(),
        });
        (Arc::new(engine), sink)
    };
    let (engine, sink) = engine("load");
    let publish = |engine: Arc<RedisEngine>, history: Option<Retention>, until: Duration, clock: Clock| async move {
        let mut publishers = tokio::task::JoinSet::new();
        for task in 0..tasks_count {
            let (engine, clock) = (Arc::clone(&engine), clock.clone());
            publishers.spawn(async move {
                let channel = Channel::from(format!("c{}", task % CHANNELS));
                let data = Payload::new("1".repeat(100).into());
                let options = PublishOptions { history, ..PublishOptions::default() };
                let mut made = 0u64;
                while clock.elapsed() < until {
                    let publication = Publication::of(data.clone());
                    engine.publish(&channel, publication, options.clone()).wait().await.unwrap();
                    made += 1;
                }
                made
            });
        }
        let mut made = 0;
        while let Some(one) = publishers.join_next().await {
            made += one.unwrap();
        }
        made
    };
    let measure = |what: &str, history, is_heard: bool| {
        for channel in 0..if is_heard { CHANNELS } else { 0 } {
            let channel = Channel::from(format!("c{channel}"));
            runtime.block_on(engine.subscribe(&channel).wait()).unwrap();
        }
        let (begin, cpu, heard) = (clock.elapsed(), cpu_micros(), sink.0.load(Ordering::Relaxed));
        let until = begin + Duration::from_secs(seconds);
        let made = runtime.block_on(publish(Arc::clone(&engine), history, until, clock.clone()));
        let (time, cpu) = (clock.elapsed().saturating_sub(begin).as_millis(), cpu_micros() - cpu);
        let heard = sink.0.load(Ordering::Relaxed) - heard;
        println!(
            "{what}: {} k/s, {:.1} us of CPU per call, {heard} of {made} heard",
            u128::from(made) / time.max(1),
            to_f64(cpu) / to_f64(made.max(1)),
        );
    };
    measure("plain", None, false);
    measure("script", Some(KEEP), false);
    measure("plain, heard", None, true);
    measure("script, heard", Some(KEEP), true);
}

fn to_f64(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// User and system time of this process.
fn cpu_micros() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // Fields 14 and 15, counted from the name on; a hundredth of a second each.
    [11, 12].iter().map(|index| fields[*index].parse::<u64>().unwrap() * 10_000).sum()
}
