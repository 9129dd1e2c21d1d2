//! The memory engine against the suite, and its own promises: bounded memory, nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use flywheel_engine::conformance::{Harness, Recorder, run};
use flywheel_engine::{Answer, Broker, MemoryEngine, MemoryLimits, Presence, PublishOptions, Published};
use flywheel_model::{Channel, ClientInfo, Now, Payload, Publication, UserId};
use flywheel_runtime::{Clock, Random};
use flywheel_stream::{HistoryQuery, Retention};

struct InMemory {
    engine: Arc<MemoryEngine>,
    sink: Arc<Recorder>,
    clock: Clock,
}

impl InMemory {
    fn new(bytes: usize) -> Self {
        let sink = Arc::new(Recorder::default());
        let clock = Clock::manual(Now::default());
        let limits = MemoryLimits { bytes, presence_ttl: Duration::from_secs(3) };
        let engine = MemoryEngine::new(sink.clone(), clock.clone(), Random::seeded(1), limits);
        Self { engine: Arc::new(engine), sink, clock }
    }
}

impl Harness for InMemory {
    fn broker(&self) -> &dyn Broker {
        &*self.engine
    }

    fn presence(&self) -> &dyn Presence {
        &*self.engine
    }

    fn sink(&self) -> &Recorder {
        &self.sink
    }

    fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T {
        match answer {
            Answer::Now(value) => value,
            Answer::Later(_) => unreachable!("memory answers at once"),
        }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.engine.sweep();
    }

    fn until(&self, condition: &mut dyn FnMut() -> bool) {
        assert!(condition(), "memory delivers at once");
    }
}

const KEEP: Retention =
    Retention { size: 100, ttl: Duration::from_mins(1), meta_ttl: Duration::from_mins(10) };

fn append(memory: &InMemory, channel: &str, bytes: usize) -> Result<Published, flywheel_engine::EngineError> {
    let data = Payload::from_json("1".repeat(bytes).into());
    let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
    memory.wait(memory.engine.publish(&Channel::from(channel), Publication::of(data), options))
}

#[test]
fn the_memory_engine_conforms() {
    run(&InMemory::new(1 << 30));
}

#[test]
fn threads_that_publish_into_one_channel_agree_on_one_order() {
    let memory = InMemory::new(1 << 30);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let engine = Arc::clone(&memory.engine);
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    let options = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
                    let data = Publication::of(Payload::from("1"));
                    assert!(matches!(
                        engine.publish(&Channel::from("race"), data, options),
                        Answer::Now(Ok(_))
                    ));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let expected: Vec<_> = (1..=8_000).map(|offset| format!("1@{offset}")).collect();
    assert_eq!(memory.sink.events(&Channel::from("race")), expected);
}

#[test]
fn the_books_are_balanced_when_everything_has_expired() {
    let memory = InMemory::new(1 << 30);
    for number in 0..200 {
        append(&memory, &format!("channel{number}"), 100).unwrap();
        let info = ClientInfo {
            user: UserId::from("1"),
            client: number.to_string(),
            conn_info: None,
            chan_info: None,
        };
        memory.wait(memory.engine.add(&Channel::from("channel1"), info)).unwrap();
        let options =
            PublishOptions { idempotency_key: Some(number.to_string()), ..PublishOptions::default() };
        memory
            .wait(memory.engine.publish(&Channel::from("x"), Publication::of(Payload::from("1")), options))
            .unwrap();
    }
    let usage = memory.engine.memory_use();
    assert_eq!((usage.streams, usage.present), (200, 200));
    assert!(usage.bytes > 200 * 100);
    memory.pass(Duration::from_secs(601));
    assert_eq!(memory.engine.memory_use(), flywheel_engine::MemoryUse::default());
}

#[test]
fn memory_stays_within_its_bound_whatever_is_published() {
    let bound = 1 << 20;
    let memory = InMemory::new(bound);
    for number in 0..20_000 {
        // A shelf can be empty when the engine is full: then the publication is refused, which is an answer.
        let published = append(&memory, &format!("channel{}", number % 5_000), 300);
        assert!(matches!(published, Ok(_) | Err(flywheel_engine::EngineError::NoRoom { .. })));
        assert!(memory.engine.memory_use().bytes <= bound + 1_000, "{:?}", memory.engine.memory_use());
    }
}

#[test]
fn one_channel_may_fill_the_whole_bound_and_keeps_its_newest() {
    let memory = InMemory::new(50_000);
    for _ in 0..100 {
        append(&memory, "only", 2_000).unwrap();
    }
    let read = memory.engine.history(&Channel::from("only"), HistoryQuery::default(), KEEP.meta_ttl);
    let history = memory.wait(read).unwrap();
    let offsets: Vec<_> = history.publications.iter().map(|publication| publication.offset).collect();
    assert_eq!(offsets.last(), Some(&100));
    assert!(offsets.len() > 15 && offsets.windows(2).all(|pair| pair[1] == pair[0] + 1), "{offsets:?}");
}
