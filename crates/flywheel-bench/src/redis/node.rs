//! `engine`: a process with the engine in it and nothing around it, told over standard input what to do.
//!
//! | order | answer | meaning |
//! | --- | --- | --- |
//! | `listen CHANNEL ..` | `done` | what is published there is heard |
//! | `expect N` | `done` | counts from now on |
//! | `complete` | `complete NANOS` | all that is expected was heard, the last at this time |
//! | `latency` | `latency P50 P99 MAX` | nanoseconds on the way, of what was heard |
//! | `publish N AT_ONCE CHANNEL ..` | `published BEGAN ENDED` | N publications, in turn, so many under way at a time |
//! | `pace N RATE CHANNEL ..` | `published BEGAN ENDED` | N publications that say when they began, RATE in a second |
//! | `subscribe N AT_ONCE` | `subscribed NANOS` | that many channels of its own, all acknowledged |

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use flywheel_engine::{Broker as _, Dependencies as _, PublishOptions};
use flywheel_model::{Channel, Payload, Publication};
use flywheel_redis::engine::{EngineParts, RedisEngine, RedisOptions};
use flywheel_redis::link::{Endpoint, LinkSettings};
use flywheel_redis::topology::{Context, Seeds, Shard, ShardSettings};
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_stream::Retention;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::ear::{Ear, STAMP};
use crate::{clock, peer};

/// Bytes of a publication's data.
const DATA_BYTES: usize = 100;
const KEEP: Retention =
    Retention { size: 100, ttl: Duration::from_mins(10), meta_ttl: Duration::from_hours(1) };
/// Longer than all that is under way may take on a machine whose cores are busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between publications that are due together.
const TICK: Duration = Duration::from_micros(100);

/// Options of the process.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A server of the Redis to use.
    #[arg(long)]
    redis: Endpoint,
}

struct Node {
    engine: Arc<RedisEngine>,
    ear: Arc<Ear>,
    runtime: Runtime,
}

/// Starts the engine, says `ready`, and obeys.
pub(crate) fn run(options: &Options) -> Result<()> {
    let node = Node::start(options)?;
    clock::until("the engine to be ready", PATIENCE, Duration::from_millis(20), || {
        Ok(node.engine.dependencies().iter().all(|dependency| dependency.ok))
    })?;
    println!("ready");
    peer::obey(|order, rest| {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| -> Result<usize> {
            Ok(words.get(index).with_context(|| format!("word {index} of {order}"))?.parse()?)
        };
        let channels = |from: usize| words.iter().skip(from).map(|name| Channel::from(*name)).collect();
        let answer = match order {
            "listen" => node.listen(channels(0))?,
            "expect" => {
                node.ear.expect(number(0)? as u64);
                "done".to_owned()
            }
            "complete" => node.complete()?,
            "latency" => node.latency()?,
            "publish" => node.publish(number(0)?, number(1)?, channels(2))?,
            "pace" => node.pace(number(0)?, number(1)?, &channels(2))?,
            "subscribe" => node.subscribe(number(0)?, number(1)?)?,
            _ => bail!("unknown order"),
        };
        Ok(Some(answer))
    })
}

impl Node {
    fn start(options: &Options) -> Result<Self> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let inside = runtime.enter();
        let tasks = Tasks::new(runtime.handle().clone());
        let (clock, random) = (Clock::system(), Arc::new(Random::system()));
        let context = Context { clock: clock.clone(), random: Arc::clone(&random), tasks: tasks.clone() };
        // What is measured is work; whether a server is frozen, others look at.
        let link = LinkSettings { silence_max: PATIENCE, ..LinkSettings::default() };
        let router =
            Shard::start(ShardSettings::new(Seeds::Server(options.redis.clone()), link.clone()), &context);
        let ear = Arc::<Ear>::default();
        let engine = Arc::new(RedisEngine::start(EngineParts {
            uid: std::process::id().to_string(),
            shards: vec![(router, link)],
            options: RedisOptions {
                command_timeout: PATIENCE,
                // Where others have the processor, what is published may well be heard a second later.
                probe_interval: PATIENCE / 3,
                probe_tolerance: PATIENCE,
                ..RedisOptions::default()
            },
            sink: Arc::clone(&ear) as _,
            control: None,
            clock,
            random,
            tasks,
        }));
        drop(inside);
        Ok(Self { engine, ear, runtime })
    }

    fn listen(&self, channels: Vec<Channel>) -> Result<String> {
        for channel in channels {
            let subscribed = self.runtime.block_on(self.engine.subscribe(&channel).wait());
            subscribed.map_err(|error| anyhow!("{error}"))?;
        }
        Ok("done".to_owned())
    }

    fn complete(&self) -> Result<String> {
        let mut at = None;
        let waited = clock::until("all publications", PATIENCE, Duration::from_millis(1), || {
            at = self.ear.complete()?;
            Ok(at.is_some())
        });
        waited.with_context(|| format!("heard {} of them, gaps {}", self.ear.heard(), self.ear.gaps()))?;
        Ok(format!("complete {}", at.unwrap_or_default()))
    }

    fn latency(&self) -> Result<String> {
        let latencies = self.ear.latencies();
        let at = |share: usize| latencies.get((latencies.len() * share / 100).min(latencies.len() - 1));
        let [p50, p99, max] = [50, 99, 100].map(at);
        let (Some(p50), Some(p99), Some(max)) = (p50, p99, max) else { bail!("nothing was heard") };
        Ok(format!("latency {p50} {p99} {max}"))
    }

    fn publish(&self, count: usize, at_once: usize, channels: Vec<Channel>) -> Result<String> {
        ensure!(!channels.is_empty(), "no channel");
        let (begun, channels) = (Arc::new(AtomicUsize::new(0)), Arc::new(channels));
        let data = Payload::new(data(None).into());
        self.runtime.block_on(async {
            let began = clock::nanos()?;
            let mut publishers = JoinSet::new();
            for _ in 0..at_once {
                let (engine, begun, channels) =
                    (Arc::clone(&self.engine), Arc::clone(&begun), Arc::clone(&channels));
                let data = data.clone();
                publishers.spawn(async move {
                    loop {
                        let number = begun.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return Ok(());
                        }
                        let channel = &channels[number % channels.len()];
                        engine.publish(channel, Publication::of(data.clone()), options()).wait().await?;
                    }
                });
            }
            finish(publishers).await?;
            Ok(format!("published {began} {}", clock::nanos()?))
        })
    }

    fn pace(&self, count: usize, rate: usize, channels: &[Channel]) -> Result<String> {
        ensure!(!channels.is_empty() && rate > 0, "no channel or no rate");
        let mut publishers = JoinSet::new();
        let began = clock::nanos()?;
        let mut made = 0;
        while made < count {
            let passed = u128::from(clock::nanos()?.saturating_sub(began));
            let due = usize::try_from(passed * rate as u128 / 1_000_000_000)?.min(count);
            while made < due {
                let (engine, channel) = (Arc::clone(&self.engine), channels[made % channels.len()].clone());
                let data = Payload::new(data(Some(clock::nanos()?)).into());
                let publish = async move {
                    engine.publish(&channel, Publication::of(data), options()).wait().await.map(drop)
                };
                publishers.spawn_on(publish, self.runtime.handle());
                made += 1;
            }
            thread::sleep(TICK);
        }
        self.runtime.block_on(finish(publishers))?;
        Ok(format!("published {began} {}", clock::nanos()?))
    }

    fn subscribe(&self, count: usize, at_once: usize) -> Result<String> {
        let begun = Arc::new(AtomicUsize::new(0));
        self.runtime.block_on(async {
            let began = clock::nanos()?;
            let mut subscribers = JoinSet::new();
            for _ in 0..at_once {
                let (engine, begun) = (Arc::clone(&self.engine), Arc::clone(&begun));
                subscribers.spawn(async move {
                    loop {
                        let number = begun.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return Ok(());
                        }
                        engine.subscribe(&Channel::from(format!("many-{number:06}").as_str())).wait().await?;
                    }
                });
            }
            finish(subscribers).await?;
            Ok(format!("subscribed {}", clock::nanos()? - began))
        })
    }
}

async fn finish(mut tasks: JoinSet<Result<(), flywheel_engine::EngineError>>) -> Result<()> {
    while let Some(done) = tasks.join_next().await {
        done?.map_err(|error| anyhow!("{error}"))?;
    }
    Ok(())
}

fn options() -> PublishOptions {
    PublishOptions { history: Some(KEEP), ..PublishOptions::default() }
}

/// A JSON text, which says when it began if that is to be known.
fn data(began: Option<u64>) -> Vec<u8> {
    let mut data = vec![b'x'; DATA_BYTES];
    data[0] = b'"';
    data[DATA_BYTES - 1] = b'"';
    if let Some(began) = began {
        data[STAMP].copy_from_slice(format!("{began:020}").as_bytes());
    }
    data
}
