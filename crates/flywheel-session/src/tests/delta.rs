//! Delta compression: what is whole and what is a patch.

use flywheel_protocol::client::{Publication, PushBody, ReplyBody, ServerMessage};
use flywheel_stream::delta;

use super::world::World;

const BODIES: [&str; 8] = [
    r#"{"n":1,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":2,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":3,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":4,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":5,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":6,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":7,"body":"the same in all of them, and long enough"}"#,
    r#"{"n":8,"body":"the same in all of them, and long enough"}"#,
];

/// What a client does with what it is sent: keeps the last payload of a channel and applies patches to it.
#[derive(Default)]
struct Reader {
    held: Vec<u8>,
}

impl Reader {
    fn read(&mut self, publication: &Publication) -> (String, bool) {
        let data: String = serde_json::from_slice(&publication.data).expect("a string");
        self.held = if publication.delta {
            delta::apply(&self.held, data.as_bytes(), 1000).expect("a patch that fits")
        } else {
            data.into_bytes()
        };
        (String::from_utf8(self.held.clone()).unwrap(), publication.delta)
    }

    /// Everything the client was sent since the last look: for each publication its payload and whether it was a patch.
    fn sees(&mut self, world: &mut World, expected: &[(&str, bool)]) {
        let mut seen = Vec::new();
        for message in std::mem::take(&mut world.sent) {
            let publications = match message {
                ServerMessage::Push(push) => match push.body {
                    PushBody::Publication(publication) => vec![*publication],
                    _ => Vec::new(),
                },
                ServerMessage::Reply(reply) => match reply.body {
                    ReplyBody::Subscribe(result) => result.publications,
                    ReplyBody::Connect(result) => {
                        result.subs.into_values().flat_map(|result| result.publications).collect()
                    }
                    _ => Vec::new(),
                },
                ServerMessage::Ping => Vec::new(),
            };
            seen.extend(publications.iter().map(|publication| self.read(publication)));
        }
        let seen: Vec<_> = seen.iter().map(|(payload, patch)| (payload.as_str(), *patch)).collect();
        assert_eq!(seen, expected);
        world.does_anything();
    }
}

fn publish(world: &mut World, channel: &str, bodies: &[usize]) {
    for body in bodies {
        world.publish(channel, BODIES[*body]);
    }
}

fn subscribe(world: &mut World, members: &str) {
    world.send(&format!(r#"{{"id":9,"subscribe":{{"channel":"diff:a","delta":"fossil"{members}}}}}"#));
}

#[test]
fn the_first_publication_is_whole_and_the_following_ones_are_patches() {
    let mut world = World::connected();
    let mut reader = Reader::default();
    publish(&mut world, "diff:a", &[0]);
    subscribe(&mut world, "");
    world.sees(&[
        r#"{"id":9,"subscribe":{"recoverable":true,"epoch":"e","offset":1,"positioned":true,"delta":true}}"#,
    ]);
    publish(&mut world, "diff:a", &[1, 2]);
    world.publish("diff:a", "7");
    publish(&mut world, "diff:a", &[3, 4]);
    let expected =
        [(BODIES[1], false), (BODIES[2], true), ("7", false), (BODIES[3], false), (BODIES[4], true)];
    reader.sees(&mut world, &expected);
}

#[test]
fn the_publication_that_starts_the_stream_leaves_its_epoch_out_on_json() {
    let mut world = World::connected();
    subscribe(&mut world, "");
    world.does_anything();
    world.publish("diff:a", "1");
    world.sees(&[r#"{"push":{"channel":"diff:a","pub":{"data":"1","offset":1}}}"#]);
}

#[test]
fn without_the_wish_or_the_permission_payloads_are_plain() {
    for (channel, wish) in [("diff:a", ""), ("log:a", r#","delta":"fossil""#)] {
        let mut world = World::connected();
        world.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"{wish}}}}}"#));
        world.sees(&[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
        world.publish(channel, r#"{"n":1}"#);
        world.publish(channel, r#"{"n":1}"#);
        world.sees(&[
            &format!(
                r#"{{"push":{{"channel":"{channel}","pub":{{"data":{{"n":1}},"offset":1,"epoch":"e"}}}}}}"#
            ),
            &format!(r#"{{"push":{{"channel":"{channel}","pub":{{"data":{{"n":1}},"offset":2}}}}}}"#),
        ]);
    }
}

#[test]
fn after_a_publication_past_the_stream_the_next_one_is_whole() {
    let mut world = World::connected();
    let mut reader = Reader::default();
    subscribe(&mut world, "");
    publish(&mut world, "diff:a", &[0, 1]);
    world.publish_past("diff:a", BODIES[2]);
    publish(&mut world, "diff:a", &[3, 4]);
    let expected =
        [(BODIES[0], false), (BODIES[1], true), (BODIES[2], false), (BODIES[3], false), (BODIES[4], true)];
    reader.sees(&mut world, &expected);
}

#[test]
fn of_recovered_publications_the_first_is_whole_and_live_ones_continue_them() {
    let mut world = World::connected();
    let mut reader = Reader::default();
    publish(&mut world, "diff:a", &[0, 1, 2, 3]);
    subscribe(&mut world, r#","recover":true,"epoch":"e","offset":1"#);
    publish(&mut world, "diff:a", &[4]);
    let expected = [(BODIES[1], false), (BODIES[2], true), (BODIES[3], true), (BODIES[4], true)];
    reader.sees(&mut world, &expected);
}

#[test]
fn what_came_during_a_recovery_continues_the_list() {
    let mut world = World::connected();
    let mut reader = Reader::default();
    publish(&mut world, "diff:a", &[0, 1]);
    world.slow("subscribe");
    subscribe(&mut world, r#","recover":true,"epoch":"e","offset":1"#);
    let outcome = world.prepare("subscribe");
    publish(&mut world, "diff:a", &[2]);
    world.give(outcome);
    publish(&mut world, "diff:a", &[3]);
    reader.sees(&mut world, &[(BODIES[1], false), (BODIES[2], true), (BODIES[3], true)]);
}

#[test]
fn after_an_empty_or_a_failed_recovery_the_next_publication_is_whole() {
    for since in [r#""epoch":"e","offset":2"#, r#""epoch":"other","offset":2"#] {
        let mut world = World::connected();
        let mut reader = Reader::default();
        publish(&mut world, "diff:a", &[0, 1]);
        subscribe(&mut world, &format!(r#","recover":true,{since}"#));
        publish(&mut world, "diff:a", &[2, 3]);
        reader.sees(&mut world, &[(BODIES[2], false), (BODIES[3], true)]);
    }
}

#[test]
fn without_a_position_a_lost_publication_makes_the_next_one_whole() {
    let mut world = World::connected();
    let mut reader = Reader::default();
    world.settings.rules = {
        let mut rules = flywheel_model::ChannelRules::clone(&world.settings.rules);
        rules.namespaces.insert("diff".into(), rules.namespaces["loose"].clone());
        rules.into()
    };
    subscribe(&mut world, "");
    world.sees(&[r#"{"id":9,"subscribe":{"delta":true}}"#]);
    publish(&mut world, "diff:a", &[0, 1]);
    world.mail_waits = true;
    publish(&mut world, "diff:a", &[2, 3, 4]);
    world.mailbox.pop_front();
    world.mail_waits = false;
    world.fetch_mail();
    let expected = [(BODIES[0], false), (BODIES[1], true), (BODIES[3], false), (BODIES[4], true)];
    reader.sees(&mut world, &expected);
}

#[test]
fn server_side_subscriptions_get_patches_when_the_connect_command_asks_for_them() {
    let mut world = World::new();
    let mut reader = Reader::default();
    publish(&mut world, "diff:a", &[0, 1, 2]);
    let wish = r#""delta":"fossil","recover":true,"epoch":"e","offset":1"#;
    world.send(&format!(r#"{{"id":1,"connect":{{"token":"t42","subs":{{"diff:a":{{{wish}}}}}}}}}"#));
    publish(&mut world, "diff:a", &[3]);
    reader.sees(&mut world, &[(BODIES[1], false), (BODIES[2], true), (BODIES[3], true)]);
}

#[test]
fn an_unknown_kind_of_delta_is_ignored_in_a_connect_command() {
    let mut world = World::new();
    world.send(r#"{"id":1,"connect":{"token":"t42","subs":{"diff:a":{"delta":"other"}}}}"#);
    world.does_anything();
    world.publish("diff:a", "1");
    world.sees(&[r#"{"push":{"channel":"diff:a","pub":{"data":1,"offset":1,"epoch":"e"}}}"#]);
}
