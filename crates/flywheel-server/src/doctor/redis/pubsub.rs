use std::sync::Arc;

use bytes::Bytes;
use flywheel_redis::link::Link;
use flywheel_redis::resp::Command;
use flywheel_redis::subscriber::{Listener, Subscriber, SubscriberSettings, Topic};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::patient::{Patient, Reached};

/// Subscribes at one server and publishes at another, or the same; in a cluster with partitions in the slot of `tag`.
pub(super) async fn examine(patient: &mut Patient<'_>, at: &Reached, via: &Link, tag: Option<&str>) {
    let sharded = patient.settings.sharded_pub_sub_partitions > 0 && tag.is_some();
    let nonce = format!("{:016x}", patient.world.random.next_u64());
    let prefix = &patient.settings.prefix;
    let name = format!("{prefix}.doctor.{{{}}}.{nonce}", tag.unwrap_or_default());
    let settings =
        SubscriberSettings { is_sharded: sharded, ..SubscriberSettings::new(patient.link.clone()) };
    let (heard, mut hears) = mpsc::channel(1);
    let (_target, target) = watch::channel(Some(at.link.endpoint().clone()));
    let world = patient.world;
    let ear = Arc::new(Ear(heard));
    let subscriber = Subscriber::start(settings, target, ear, &world.clock, &world.random, &world.tasks);
    let time = patient.shard.io_timeout;
    let deadline = world.clock.now().at + patient.shard.connect_timeout + time;
    let here = at.link.endpoint();
    if let Err(error) = subscriber.subscribe(name.clone(), Topic::Probe, deadline).await {
        let advice = format!(
            "allow SUBSCRIBE, SSUBSCRIBE and all channels that begin with {}.prefix to the user in its ACL",
            patient.settings.key
        );
        patient.broken("pubsub", format!("subscribing at {here} fails ({error})"), advice);
        return;
    }
    let begun = world.clock.elapsed();
    let publish = Command::new(if sharded { "SPUBLISH" } else { "PUBLISH" }).arg(&name).arg(&nonce);
    // In a cluster only the owner takes what is sharded.
    let via = if sharded { &at.link } else { via };
    if let Err(error) = patient.ask(via, publish).await {
        let via = via.clone();
        patient.failed("pubsub", &error, &via, "publishing");
        return;
    }
    match timeout(time, hears.recv()).await {
        Ok(Some(payload)) if payload == nonce => {
            let took = world.clock.elapsed().saturating_sub(begun);
            patient.timed("pubsub", "what is published comes back", took);
        }
        _ => {
            let text = format!(
                "what {} accepted for publishing did not reach a subscriber at {here} within {} ms",
                via.endpoint(),
                time.as_millis()
            );
            patient.broken(
                "pubsub",
                text,
                "look at what stands between, and at the links between the servers",
            );
        }
    }
}

/// Hands on what it hears.
struct Ear(mpsc::Sender<Bytes>);

impl Listener for Ear {
    fn message(&self, _topic: &Topic, payload: &Bytes) {
        // The first message is enough.
        self.0.try_send(payload.clone()).unwrap_or_default();
    }

    fn resumed(&self, _topic: &Topic) {}

    fn evicted(&self, _topic: &Topic) {}

    fn is_wanted(&self, _topic: &Topic) -> bool {
        true
    }
}
