use tokio::sync::oneshot;

use super::*;
use crate::link::ServerError;
use crate::subscriber::SubscribeError;

const RULES: Rules = Rules {
    is_sharded: false,
    batch: 3,
    ack_timeout: Duration::from_secs(1),
    linger: Duration::from_secs(1),
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(name: &'static str) -> Bytes {
    Bytes::from_static(name.as_bytes())
}

fn want(channels: &mut Channels, text: &'static str) -> oneshot::Receiver<Result<(), SubscribeError>> {
    let (waiter, answer) = oneshot::channel();
    channels.want(name(text), Topic::Channel(text.into()), Some(waiter));
    answer
}

/// The words of the commands that are written.
fn written(channels: &mut Channels, now: u64) -> String {
    let mut out = Vec::new();
    channels.write(at(now), &mut out);
    let text = String::from_utf8(out).unwrap();
    let words = text.split("\r\n").filter(|word| !word.starts_with(['*', '$']) && !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn connected() -> Channels {
    let mut channels = Channels::new(RULES);
    channels.connected();
    channels
}

#[test]
fn a_channel_is_answered_when_the_server_acknowledges_it_and_at_once_afterwards() {
    let mut channels = connected();
    let mut first = want(&mut channels, "a");
    let mut second = want(&mut channels, "a");
    assert_eq!(written(&mut channels, 0), "SUBSCRIBE a");
    assert!(first.try_recv().is_err());
    assert_eq!(channels.subscribed(&name("a")).unwrap(), None);
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
    assert_eq!(want(&mut channels, "a").try_recv(), Ok(Ok(())));
    assert_eq!(written(&mut channels, 0), "");
}

#[test]
fn many_go_in_batches() {
    let mut channels = connected();
    for text in ["a", "b", "c", "d"] {
        drop(want(&mut channels, text));
    }
    assert_eq!(written(&mut channels, 0), "SUBSCRIBE a b c SUBSCRIBE d");
}

#[test]
fn probes_and_messages_of_nodes_do_not_wait_for_channels_of_clients() {
    let mut channels = connected();
    let _answers = ["a", "b", "c", "d"].map(|text| want(&mut channels, text));
    channels.want(name("control"), Topic::Control, None);
    assert!(written(&mut channels, 0).starts_with("SUBSCRIBE control"));
    channels.connected();
    assert!(written(&mut channels, 0).starts_with("SUBSCRIBE control"), "again");
}

#[test]
fn an_acknowledgement_that_is_lost_or_for_another_name_restarts() {
    let mut channels = connected();
    drop((want(&mut channels, "a"), want(&mut channels, "b")));
    written(&mut channels, 0);
    assert!(channels.subscribed(&name("b")).is_err());
    assert!(channels.check(at(999)).is_ok());
    assert!(channels.check(at(1300)).is_err_and(|(_, late)| late == Duration::from_millis(300)));
    assert!(channels.pong(&name("n")).is_err());
}

#[test]
fn after_a_new_connection_all_is_asked_for_again_and_what_was_active_may_have_missed_something() {
    let mut channels = connected();
    drop(want(&mut channels, "a"));
    written(&mut channels, 0);
    channels.subscribed(&name("a")).unwrap();
    let mut waits = want(&mut channels, "b");
    channels.connected();
    let asked = written(&mut channels, 0);
    assert!(matches!(asked.as_str(), "SUBSCRIBE a b" | "SUBSCRIBE b a"), "{asked}");
    let order: Vec<_> = asked.split(' ').skip(1).map(|text| Bytes::from(text.to_owned())).collect();
    for text in order {
        let missed = channels.subscribed(&text).unwrap().is_some();
        assert_eq!(missed, text == "a");
    }
    assert_eq!(waits.try_recv(), Ok(Ok(())));
}

#[test]
fn what_nobody_wants_is_left_after_a_while_unless_somebody_comes_back() {
    let mut channels = connected();
    for text in ["a", "b", "c"] {
        drop(want(&mut channels, text));
    }
    written(&mut channels, 0);
    for text in ["a", "b", "c"] {
        channels.subscribed(&name(text)).unwrap();
        channels.unwant(&name(text), at(0));
    }
    drop(want(&mut channels, "b"));
    channels.expire(at(999), |_| false);
    assert_eq!(written(&mut channels, 999), "");
    channels.expire(at(1000), |topic| matches!(topic, Topic::Channel(channel) if channel.as_str() == "c"));
    assert_eq!(written(&mut channels, 1000), "UNSUBSCRIBE a");
    // Somebody comes back while it is being left.
    let mut back = want(&mut channels, "a");
    assert_eq!(channels.unsubscribed(&name("a")), Ok(None));
    assert_eq!(written(&mut channels, 1000), "SUBSCRIBE a");
    assert!(back.try_recv().is_err());
    assert!(channels.subscribed(&name("a")).unwrap().is_some());
    assert_eq!(back.try_recv(), Ok(Ok(())));
}

#[test]
fn a_refusal_reaches_the_one_who_is_refused_and_nobody_else() {
    let mut channels = connected();
    let (mut good, mut bad) = (want(&mut channels, "good"), want(&mut channels, "bad"));
    assert_eq!(written(&mut channels, 0), "SUBSCRIBE good bad");
    let error = name("NOPERM no");
    channels.refused(&error).unwrap();
    assert_eq!(written(&mut channels, 0), "SUBSCRIBE good SUBSCRIBE bad");
    channels.subscribed(&name("good")).unwrap();
    channels.refused(&error).unwrap();
    assert_eq!(good.try_recv(), Ok(Ok(())));
    assert_eq!(bad.try_recv(), Ok(Err(SubscribeError::Refused(ServerError::new(&error)))));
    assert_eq!(channels.len(), 1);
}

#[test]
fn a_channel_that_the_server_gives_up_is_asked_for_again() {
    let mut channels = connected();
    drop(want(&mut channels, "a"));
    written(&mut channels, 0);
    channels.subscribed(&name("a")).unwrap();
    assert_eq!(channels.unsubscribed(&name("a")), Ok(Some(Topic::Channel("a".into()))));
    assert_eq!(written(&mut channels, 0), "SUBSCRIBE a");
}

#[test]
fn a_channel_given_up_by_the_server_while_another_one_is_being_left_is_a_doubt() {
    let mut channels = connected();
    drop((want(&mut channels, "a"), want(&mut channels, "b")));
    written(&mut channels, 0);
    for text in ["a", "b"] {
        channels.subscribed(&name(text)).unwrap();
    }
    channels.unwant(&name("a"), at(0));
    channels.expire(at(1000), |_| false);
    written(&mut channels, 1000);
    assert!(channels.unsubscribed(&name("b")).is_err());
}

#[test]
fn who_waits_until_all_was_read_hears_of_the_sign_of_life_that_was_asked_for_after_it() {
    let mut channels = connected();
    let mut out = Vec::new();
    channels.write_ping(name("before"), at(0), &mut out);
    let (fence, mut answer) = oneshot::channel();
    channels.fence(fence);
    assert!(channels.is_fenced());
    channels.write_ping(name("after"), at(0), &mut out);
    assert!(!channels.is_fenced());
    channels.pong(&name("before")).unwrap();
    assert!(answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
    channels.pong(&name("after")).unwrap();
    assert_eq!(answer.try_recv(), Ok(()));
    let (fence, mut answer) = oneshot::channel();
    channels.fence(fence);
    channels.connected();
    assert!(answer.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
}
