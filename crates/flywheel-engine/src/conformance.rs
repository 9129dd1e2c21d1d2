//! The suite that every engine passes, whoever wrote it.
//!
//! ```ignore
//! #[test]
//! fn conforms() {
//!     flywheel_engine::conformance::run(&MyHarness::new());
//! }
//! ```
//! A check panics with the name of what it found wrong. Channels are named after the check, so one engine serves all.

use std::sync::Arc;
use std::time::Duration;

use flywheel_model::{
    Channel, ChannelEvent, ChannelEventKind, ClientInfo, Epoch, Payload, Publication, StreamPosition, UserId,
};
use flywheel_stream::{History, HistoryQuery, Retention, Version};
use parking_lot::Mutex;

use crate::{Answer, Broker, EngineError, Presence, PublishOptions, Published, Sink};

/// Connects the suite to an engine.
pub trait Harness {
    /// The engine, which delivers into [`sink`](Self::sink).
    fn broker(&self) -> &dyn Broker;
    /// The engine.
    fn presence(&self) -> &dyn Presence;
    /// What the engine delivers.
    fn sink(&self) -> &Recorder;
    /// Waits for an answer.
    fn wait<T: Send + 'static>(&self, answer: Answer<T>) -> T;
    /// Lets time pass, for the engine and for whatever it stands on.
    fn pass(&self, time: Duration);
    /// Waits until `condition` holds; panics after a while.
    fn until(&self, condition: &mut dyn FnMut() -> bool);
}

/// A sink that remembers.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<ChannelEvent>>,
    /// Channels that somebody is subscribed to.
    wanted: Mutex<Vec<Channel>>,
}

impl Sink for Recorder {
    fn deliver(&self, event: ChannelEvent) {
        self.events.lock().push(event);
    }

    fn gap(&self, _channel: &Channel) {}

    fn has_subscribers(&self, channel: &Channel) -> bool {
        self.wanted.lock().contains(channel)
    }
}

impl Recorder {
    /// What was delivered for `channel`, in order: `data@offset`, `+client`, `-client`.
    pub fn events(&self, channel: &Channel) -> Vec<String> {
        let events = self.events.lock();
        let of_channel = events.iter().filter(|event| event.channel == *channel);
        of_channel
            .map(|event| match &event.kind {
                ChannelEventKind::Publication(publication, ..) => {
                    format!("{}@{}", data(publication), publication.offset)
                }
                ChannelEventKind::Join(info) => format!("+{}", info.client),
                ChannelEventKind::Leave(info) => format!("-{}", info.client),
            })
            .collect()
    }

    fn epochs(&self, channel: &Channel) -> Vec<Epoch> {
        self.publications(channel, |_, epoch, _| epoch.clone())
    }

    /// What each publication came with to make a delta against.
    fn bases(&self, channel: &Channel) -> Vec<Option<String>> {
        self.publications(channel, |_, _, base| base.map(data))
    }

    fn publications<T>(
        &self,
        channel: &Channel,
        look: impl Fn(&Publication, &Epoch, Option<&Publication>) -> T,
    ) -> Vec<T> {
        let events = self.events.lock();
        let of_channel = events.iter().filter(|event| event.channel == *channel);
        of_channel
            .filter_map(|event| match &event.kind {
                ChannelEventKind::Publication(publication, epoch, base) => {
                    Some(look(publication, epoch, base.as_deref()))
                }
                _ => None,
            })
            .collect()
    }
}

fn data(publication: &Publication) -> String {
    String::from_utf8_lossy(publication.data.bytes()).into_owned()
}

const META_TTL: Duration = Duration::from_mins(10);
const KEEP: Retention = Retention { size: 3, ttl: Duration::from_mins(1), meta_ttl: META_TTL };

/// Runs every check.
pub fn run<H: Harness>(harness: &H) {
    let suite = Suite { harness };
    suite.publications_get_consecutive_offsets_and_one_epoch();
    suite.past_the_stream_there_is_no_offset();
    suite.history_is_read_as_the_protocol_says();
    suite.a_stream_nobody_wrote_has_an_epoch_that_lasts();
    suite.a_foreign_epoch_is_unrecoverable();
    suite.size_and_age_bound_the_history();
    suite.removed_history_keeps_its_position();
    suite.an_idempotency_key_makes_one_publication();
    suite.an_old_version_is_not_published();
    suite.the_publication_before_comes_along_when_asked_for();
    suite.joins_and_leaves_are_delivered();
    suite.a_channel_that_somebody_wants_is_not_given_up();
    suite.presence_counts_clients_and_users();
    suite.presence_expires_unless_refreshed();
    suite.any_channel_name_is_a_channel_of_its_own();
    suite.concurrent_publishers_agree_on_one_order();
}

struct Suite<'h, H> {
    harness: &'h H,
}

fn text(data: &str) -> Publication {
    Publication::of(Payload::new(data.to_owned().into()))
}

fn info(client: &str, user: &str) -> ClientInfo {
    ClientInfo { user: UserId::from(user), client: client.into(), conn_info: None, chan_info: None }
}

impl<H: Harness> Suite<'_, H> {
    fn subscribed(&self, name: &str) -> Channel {
        let channel = Channel::from(name);
        let subscribed = self.harness.wait(self.harness.broker().subscribe(&channel));
        assert_eq!(subscribed, Ok(()), "subscribe {name}");
        channel
    }

    fn publish(&self, channel: &Channel, data: &str, options: PublishOptions) -> Published {
        let published = self.harness.wait(self.harness.broker().publish(channel, text(data), options));
        published.unwrap_or_else(|error| unreachable!("publish into {channel}: {error}"))
    }

    fn append(&self, channel: &Channel, data: &str) -> StreamPosition {
        match self.publish(channel, data, PublishOptions { history: Some(KEEP), ..PublishOptions::default() })
        {
            Published::Made(Some(position)) => position,
            other => unreachable!("append to {channel} answered {other:?}"),
        }
    }

    fn read(&self, channel: &Channel, query: HistoryQuery) -> Result<History, EngineError> {
        self.harness.wait(self.harness.broker().history(channel, query, META_TTL))
    }

    fn top(&self, channel: &Channel) -> StreamPosition {
        self.read(channel, HistoryQuery::top()).map(|history| history.top).unwrap_or_default()
    }

    fn expect_events(&self, channel: &Channel, expected: &[&str]) {
        let sink = self.harness.sink();
        self.harness.until(&mut || sink.events(channel).len() >= expected.len());
        assert_eq!(sink.events(channel), expected, "events of {channel}");
    }

    fn publications_get_consecutive_offsets_and_one_epoch(&self) {
        let channel = self.subscribed("conformance:order");
        let positions: Vec<_> = (1..=5).map(|number| self.append(&channel, &number.to_string())).collect();
        let offsets: Vec<_> = positions.iter().map(|position| position.offset).collect();
        assert_eq!(offsets, [1, 2, 3, 4, 5]);
        assert!(
            positions
                .iter()
                .all(|position| position.epoch == positions[0].epoch && !position.epoch.is_unknown())
        );
        assert_ne!(positions[0].epoch.as_str(), "_");
        self.expect_events(&channel, &["1@1", "2@2", "3@3", "4@4", "5@5"]);
        assert!(self.harness.sink().epochs(&channel).iter().all(|epoch| *epoch == positions[0].epoch));
    }

    fn past_the_stream_there_is_no_offset(&self) {
        let channel = self.subscribed("conformance:past");
        assert_eq!(self.publish(&channel, "1", PublishOptions::default()), Published::Made(None));
        self.expect_events(&channel, &["1@0"]);
        assert_eq!(self.top(&channel).offset, 0);
    }

    fn history_is_read_as_the_protocol_says(&self) {
        type Case<'a> = (Option<usize>, Option<StreamPosition>, bool, &'a [u64]);
        let channel = Channel::from("conformance:read");
        let append = |_, number: u32| self.append(&channel, &number.to_string());
        let epoch = (1..=3).fold(StreamPosition::default(), append).epoch;
        let since = |offset| Some(StreamPosition { offset, epoch: epoch.clone() });
        let cases: [Case<'_>; 8] = [
            (Some(0), None, false, &[]),
            (Some(2), None, false, &[1, 2]),
            (Some(2), None, true, &[3, 2]),
            (None, None, false, &[1, 2, 3]),
            (Some(5), since(1), false, &[2, 3]),
            (Some(5), since(3), true, &[2, 1]),
            (Some(5), since(77), false, &[]),
            (Some(1), since(0), false, &[1]),
        ];
        for (limit, since, reverse, expected) in cases {
            let query = HistoryQuery { limit, since, reverse };
            let history = self.read(&channel, query.clone()).unwrap_or_default();
            let offsets: Vec<_> = history.publications.iter().map(|publication| publication.offset).collect();
            assert_eq!(offsets, expected, "{query:?}");
            assert_eq!(history.top, StreamPosition { offset: 3, epoch: epoch.clone() }, "{query:?}");
        }
    }

    fn a_stream_nobody_wrote_has_an_epoch_that_lasts(&self) {
        let channel = Channel::from("conformance:empty");
        let top = self.top(&channel);
        assert!(top.offset == 0 && !top.epoch.is_unknown());
        assert_eq!(self.top(&channel), top);
        assert_eq!(self.append(&channel, "1"), StreamPosition { offset: 1, epoch: top.epoch });
    }

    fn a_foreign_epoch_is_unrecoverable(&self) {
        let channel = Channel::from("conformance:epoch");
        self.append(&channel, "1");
        let since = |epoch: &str| HistoryQuery::after(StreamPosition { offset: 0, epoch: epoch.into() }, 1);
        assert_eq!(self.read(&channel, since("alien")), Err(EngineError::Unrecoverable));
        assert!(self.read(&channel, since("")).is_ok());
    }

    fn size_and_age_bound_the_history(&self) {
        let channel = Channel::from("conformance:bounds");
        let keep = Retention { size: 2, ttl: Duration::from_secs(2), meta_ttl: META_TTL };
        for number in 1..=3 {
            let options = PublishOptions { history: Some(keep), ..PublishOptions::default() };
            self.publish(&channel, &number.to_string(), options);
        }
        let all = HistoryQuery::default();
        let offsets =
            |history: History| history.publications.iter().map(|one| one.offset).collect::<Vec<_>>();
        assert_eq!(self.read(&channel, all.clone()).map(offsets), Ok(vec![2, 3]));
        self.harness.pass(Duration::from_millis(2_500));
        assert_eq!(self.read(&channel, all).map(offsets), Ok(vec![]));
        assert_eq!(self.top(&channel).offset, 3);
    }

    fn removed_history_keeps_its_position(&self) {
        let channel = Channel::from("conformance:remove");
        let position = self.append(&channel, "1");
        assert_eq!(self.harness.wait(self.harness.broker().remove_history(&channel)), Ok(()));
        let history = self.read(&channel, HistoryQuery::default()).unwrap_or_default();
        assert_eq!(history, History { publications: Vec::new(), top: position });
        assert_eq!(self.append(&channel, "2").offset, 2);
    }

    fn an_idempotency_key_makes_one_publication(&self) {
        let channel = self.subscribed("conformance:idempotency");
        let options = |history| PublishOptions {
            history,
            idempotency_key: Some("key".into()),
            ..PublishOptions::default()
        };
        let first = self.publish(&channel, "1", options(Some(KEEP)));
        let Published::Made(position) = first else { unreachable!("the first one is made: {first:?}") };
        assert_eq!(self.publish(&channel, "2", options(Some(KEEP))), Published::Repeated(position));
        self.append(&channel, "3");
        self.expect_events(&channel, &["1@1", "3@2"]);
        // Another channel has keys of its own, also without history.
        let other = self.subscribed("conformance:idempotency2");
        assert_eq!(self.publish(&other, "1", options(None)), Published::Made(None));
        assert_eq!(self.publish(&other, "2", options(None)), Published::Repeated(None));
        self.expect_events(&other, &["1@0"]);
    }

    fn an_old_version_is_not_published(&self) {
        let channel = self.subscribed("conformance:version");
        let versioned = |number, epoch: &str| PublishOptions {
            history: Some(KEEP),
            version: Some(Version { number, epoch: epoch.into() }),
            ..PublishOptions::default()
        };
        let first = self.publish(&channel, "v2", versioned(2, ""));
        let Published::Made(Some(top)) = first else { unreachable!("the first one is made: {first:?}") };
        assert_eq!(self.publish(&channel, "v1", versioned(1, "")), Published::Superseded(top.clone()));
        assert_eq!(self.publish(&channel, "v2", versioned(2, "")), Published::Superseded(top));
        self.append(&channel, "unversioned");
        assert!(matches!(self.publish(&channel, "v2", versioned(2, "")), Published::Superseded(_)));
        assert!(matches!(self.publish(&channel, "v1", versioned(1, "other")), Published::Made(_)));
        self.expect_events(&channel, &["v2@1", "unversioned@2", "v1@3"]);
    }

    fn the_publication_before_comes_along_when_asked_for(&self) {
        let channel = self.subscribed("conformance:delta");
        let options = |history, delta| PublishOptions { history, delta, ..PublishOptions::default() };
        for (data, history, delta) in [
            ("first", Some(KEEP), true),
            ("plain", Some(KEEP), false),
            ("after plain", Some(KEEP), true),
            ("past the stream", None, true),
            ("after that", Some(KEEP), true),
        ] {
            self.publish(&channel, data, options(history, delta));
        }
        assert_eq!(self.harness.wait(self.harness.broker().remove_history(&channel)), Ok(()));
        self.publish(&channel, "after removal", options(Some(KEEP), true));
        self.publish(&channel, "last", options(Some(KEEP), true));
        let sink = self.harness.sink();
        self.harness.until(&mut || sink.bases(&channel).len() >= 7);
        let bases = sink.bases(&channel);
        let bases: Vec<_> = bases.iter().map(Option::as_deref).collect();
        let expected = [None, None, Some("plain"), None, Some("after plain"), None, Some("after removal")];
        assert_eq!(bases, expected);
    }

    fn joins_and_leaves_are_delivered(&self) {
        let channel = self.subscribed("conformance:join");
        let broker = self.harness.broker();
        assert_eq!(self.harness.wait(broker.publish_join(&channel, info("a", "1"))), Ok(()));
        assert_eq!(self.harness.wait(broker.publish_leave(&channel, info("a", "1"))), Ok(()));
        self.expect_events(&channel, &["+a", "-a"]);
    }

    /// As when an unsubscribe is overtaken by a subscribe that was made after it.
    fn a_channel_that_somebody_wants_is_not_given_up(&self) {
        let channel = self.subscribed("conformance:wanted");
        self.harness.sink().wanted.lock().push(channel.clone());
        let unsubscribed = self.harness.wait(self.harness.broker().unsubscribe(&channel));
        assert_eq!(unsubscribed, Ok(()), "unsubscribe wanted");
        // Long enough for an engine that gives channels up later.
        self.harness.pass(Duration::from_secs(2));
        self.publish(&channel, "still here", PublishOptions::default());
        self.expect_events(&channel, &["still here@0"]);
    }

    fn presence_counts_clients_and_users(&self) {
        let channel = Channel::from("conformance:presence");
        let presence = self.harness.presence();
        for (client, user) in [("b", "1"), ("a", "1"), ("c", "2"), ("a", "1")] {
            assert_eq!(self.harness.wait(presence.add(&channel, info(client, user))), Ok(()));
        }
        let clients = self.harness.wait(presence.clients(&channel)).unwrap_or_default();
        let names: Vec<_> = clients.iter().map(|info| info.client.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let stats = self.harness.wait(presence.stats(&channel)).unwrap_or_default();
        assert_eq!((stats.clients, stats.users), (3, 2));
        for client in ["a", "b", "nobody"] {
            assert_eq!(self.harness.wait(presence.remove(&channel, client)), Ok(()));
        }
        let stats = self.harness.wait(presence.stats(&channel)).unwrap_or_default();
        assert_eq!((stats.clients, stats.users), (1, 1));
    }

    /// The harness's engine keeps entries for three seconds.
    fn presence_expires_unless_refreshed(&self) {
        let channel = Channel::from("conformance:expiry");
        let presence = self.harness.presence();
        let count = || self.harness.wait(presence.stats(&channel)).unwrap_or_default().clients;
        for client in ["old", "kept"] {
            assert_eq!(self.harness.wait(presence.add(&channel, info(client, ""))), Ok(()));
        }
        self.harness.pass(Duration::from_secs(2));
        assert_eq!(self.harness.wait(presence.add(&channel, info("kept", ""))), Ok(()));
        assert_eq!(count(), 2);
        self.harness.pass(Duration::from_secs(2));
        assert_eq!(count(), 1);
        self.harness.pass(Duration::from_secs(4));
        assert_eq!(count(), 0);
    }

    fn any_channel_name_is_a_channel_of_its_own(&self) {
        let long = "x".repeat(4096);
        let names =
            ["}", "{}", "{", "}x", "{a}b", "a\0b", "*", "[a]", " ", "grün", "conformance:", long.as_str()];
        let channels: Vec<_> = names.iter().map(|name| self.subscribed(name)).collect();
        for (channel, name) in channels.iter().zip(names) {
            assert_eq!(self.append(channel, name).offset, 1, "{name:?}");
        }
        for (channel, name) in channels.iter().zip(names) {
            self.expect_events(channel, &[&format!("{name}@1")]);
        }
    }

    fn concurrent_publishers_agree_on_one_order(&self) {
        let channel = self.subscribed("conformance:race");
        let keep = Retention { size: 1000, ..KEEP };
        let answers: Vec<_> = (0..200)
            .map(|number: u32| {
                let options =
                    PublishOptions { history: Some(keep), delta: true, ..PublishOptions::default() };
                self.harness.broker().publish(&channel, text(&number.to_string()), options)
            })
            .collect();
        for answer in answers {
            assert!(self.harness.wait(answer).is_ok());
        }
        let history = self.read(&channel, HistoryQuery::default()).unwrap_or_default();
        let kept: Vec<_> = history
            .publications
            .iter()
            .map(|one: &Arc<Publication>| format!("{}@{}", data(one), one.offset))
            .collect();
        let kept: Vec<_> = kept.iter().map(String::as_str).collect();
        assert_eq!(kept.len(), 200);
        self.expect_events(&channel, &kept);
        let before: Vec<_> = history.publications.iter().map(|one| Some(data(one))).collect();
        assert_eq!(self.harness.sink().bases(&channel)[1..], before[..before.len() - 1]);
    }
}
