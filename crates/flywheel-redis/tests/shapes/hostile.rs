use flywheel_engine::{Broker, Presence, PublishOptions};
use flywheel_model::{Channel, ClientInfo, UserId};
use flywheel_stream::{HistoryQuery, Version};

use crate::cluster::shared_settings;
use crate::nodes::{KEEP, World};

fn names() -> Vec<String> {
    let mut names: Vec<_> =
        ["", "}", "}x", "a}b", "{}", "{", "{a}b", "a{b", "{}{a}", "\0", "a\r\nb", "*", "ü{ü}"]
            .map(str::to_owned)
            .into();
    names.extend([4 << 10, 64 << 10].map(|length| "x".repeat(length)));
    names.push(format!("}}{}", "{".repeat(4096)));
    names
}

fn every_command(partitions: u16) {
    let world = World::of(1, &[shared_settings(partitions)]);
    let engine = &world.nodes[0].engine;
    let info = ClientInfo { user: UserId::from("u"), client: "c".into(), conn_info: None, chan_info: None };
    for name in names() {
        let channel = Channel::from(name.as_str());
        world.subscribe(&name);
        let with_history = PublishOptions { history: Some(KEEP), ..PublishOptions::default() };
        for (number, options) in [
            PublishOptions::default(),
            PublishOptions { idempotency_key: Some("}{".into()), ..PublishOptions::default() },
            PublishOptions { idempotency_key: Some("}{k".into()), ..with_history.clone() },
            PublishOptions { delta: true, ..with_history.clone() },
            PublishOptions { version: Some(Version { number: 7, epoch: "}".into() }), ..with_history },
        ]
        .into_iter()
        .enumerate()
        {
            let published = world.publish_with(0, &name, &number.to_string(), options);
            assert!(published.is_ok(), "publish {number} into {name:?}: {published:?}");
        }
        let told = world.wait(engine.publish_join(&channel, info.clone()));
        assert_eq!(told, Ok(()), "join of {name:?}");
        assert_eq!(world.top(0, &name).map(|top| top.offset), Ok(3), "history of {name:?}");
        let all = world.wait(engine.history(&channel, HistoryQuery::newest(10), KEEP.meta_ttl));
        assert_eq!(all.map(|history| history.publications.len()), Ok(3), "history of {name:?}");
        assert_eq!(world.wait(engine.add(&channel, info.clone())), Ok(()), "presence of {name:?}");
        assert_eq!(world.wait(engine.clients(&channel)).map(|clients| clients.len()), Ok(1), "{name:?}");
        assert_eq!(world.wait(engine.stats(&channel)).map(|stats| stats.users), Ok(1), "{name:?}");
        assert_eq!(world.wait(engine.remove(&channel, "c")), Ok(()), "{name:?}");
        assert_eq!(world.wait(engine.remove_history(&channel)), Ok(()), "{name:?}");
        let heard = flywheel_testkit::wait_until(crate::nodes::PATIENCE, || {
            world.nodes[0].ear.recorder.events(&channel).len() == 6
        });
        assert!(heard, "{name:?}: {:?}", world.nodes[0].ear.recorder.events(&channel));
        assert_eq!(world.wait(engine.unsubscribe(&channel)), Ok(()), "{name:?}");
    }
}

#[test]
fn c7_hostile_names_pass_through_every_command_on_a_cluster() {
    every_command(0);
}

#[test]
fn c7_hostile_names_pass_through_every_command_on_partitions() {
    every_command(8);
}
