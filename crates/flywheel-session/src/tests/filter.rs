//! The tags filter: what passes, what is skipped, and what that does to positions.

use super::world::World;

const ENGLISH: &str = r#""tf":{"key":"lang","cmp":"eq","val":"en"}"#;

fn subscribe(world: &mut World, channel: &str, members: &str) {
    world.send(&format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}",{members}}}}}"#));
}

/// One number per publication, in English and German by turns.
fn publish(world: &mut World, channel: &str, numbers: &[&'static str]) {
    for number in numbers {
        let odd = number.ends_with(['1', '3', '5', '7', '9']);
        world.publish_in(channel, if odd { "en" } else { "de" }, number);
    }
}

fn push(channel: &str, number: u32, epoch: &str) -> String {
    format!(
        r#"{{"push":{{"channel":"{channel}","pub":{{"data":{number},"offset":{number},"tags":{{"lang":"en"}}{epoch}}}}}}}"#
    )
}

#[test]
fn what_does_not_match_is_skipped_and_moves_the_position_all_the_same() {
    let mut world = World::connected();
    subscribe(&mut world, "pick:a", ENGLISH);
    world.sees(&[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
    publish(&mut world, "pick:a", &["1", "2", "3"]);
    world.sees(&[&push("pick:a", 1, r#","epoch":"e""#), &push("pick:a", 3, "")]);
    // The checks of the position find nothing wrong either.
    publish(&mut world, "pick:a", &["4"]);
    for pings in 0..5 {
        world.at(12_500 + 25_000 * pings);
        world.send("{}");
    }
    world.sees(&["{}"; 5]);
    publish(&mut world, "pick:a", &["5"]);
    world.sees(&[&push("pick:a", 5, "")]);
}

#[test]
fn a_lost_publication_is_noticed_whatever_the_filter() {
    let mut world = World::connected();
    subscribe(&mut world, "pick:a", ENGLISH);
    world.mail_waits = true;
    publish(&mut world, "pick:a", &["1", "2"]);
    world.mailbox.pop_front();
    world.does_anything();
    world.mail_waits = false;
    world.fetch_mail();
    // The second one, which the filter leaves out, showed that the first was lost.
    world.sees(&[&push("pick:a", 1, r#","epoch":"e""#)]);
    publish(&mut world, "pick:a", &["3"]);
    world.sees(&[&push("pick:a", 3, "")]);
}

#[test]
fn recovery_leaves_out_what_does_not_match() {
    let mut world = World::connected();
    publish(&mut world, "pick:a", &["1", "2", "3"]);
    world.slow("subscribe");
    subscribe(&mut world, "pick:a", &format!(r#"{ENGLISH},"recover":true,"epoch":"e","offset":1"#));
    let outcome = world.prepare("subscribe");
    publish(&mut world, "pick:a", &["4", "5", "6"]);
    world.give(outcome);
    let publication = |number| format!(r#"{{"data":{number},"offset":{number},"tags":{{"lang":"en"}}}}"#);
    let (three, five) = (publication(3), publication(5));
    world.sees(&[&format!(
        r#"{{"id":2,"subscribe":{{"recoverable":true,"epoch":"e","publications":[{three},{five}],"recovered":true,"offset":1,"positioned":true,"was_recovering":true}}}}"#
    )]);
    publish(&mut world, "pick:a", &["7"]);
    world.sees(&[&push("pick:a", 7, "")]);
}

#[test]
fn of_a_cache_the_newest_that_matches_is_recovered() {
    let mut world = World::connected();
    publish(&mut world, "pickone:a", &["1", "2"]);
    subscribe(&mut world, "pickone:a", &format!(r#"{ENGLISH},"recover":true"#));
    let one = r#"{"data":1,"offset":1,"tags":{"lang":"en"},"epoch":"e"}"#;
    world.sees(&[&format!(
        r#"{{"id":2,"subscribe":{{"recoverable":true,"epoch":"e","publications":[{one}],"recovered":true,"positioned":true,"was_recovering":true}}}}"#
    )]);
    publish(&mut world, "pickone:a", &["3"]);
    world.sees(&[&push("pickone:a", 3, "")]);
}

#[test]
fn publications_held_back_past_the_stream_are_filtered_too() {
    let mut world = World::connected();
    world.slow("subscribe");
    subscribe(&mut world, "pick:a", ENGLISH);
    world.publish_past("pick:a", "0");
    world.answer("subscribe");
    world.sees(&[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
}

#[test]
fn with_a_filter_there_is_no_delta() {
    let mut world = World::connected();
    subscribe(&mut world, "pick:a", &format!(r#"{ENGLISH},"delta":"fossil""#));
    world.sees(&[r#"{"id":2,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
    publish(&mut world, "pick:a", &["1"]);
    world.sees(&[&push("pick:a", 1, r#","epoch":"e""#)]);
}

#[test]
fn a_filter_that_is_malformed_or_not_allowed_is_refused_and_leaves_nothing() {
    for (channel, filter) in
        [("log:a", ENGLISH), ("pick:a", r#""tf":{"op":"xor"}"#), ("pick:a", r#""tf":{}"#)]
    {
        let mut world = World::connected();
        subscribe(&mut world, channel, filter);
        world.does(&[r#"{"id":2,"error":{"code":107,"message":"bad request"}}"#]);
        world.send(&format!(r#"{{"id":3,"subscribe":{{"channel":"{channel}"}}}}"#));
        world.sees(&[r#"{"id":3,"subscribe":{"recoverable":true,"epoch":"e","positioned":true}}"#]);
    }
}
