use flywheel_model::{Epoch, StreamPosition};
use flywheel_protocol::Unsubscribed;
use flywheel_protocol::client::{Command, FilterNode, Request, SubscribeRequest, UnsubscribeRequest};
use flywheel_session::{Outcome, ServerSubscribe};

use crate::observer::{Position, admitted};
use crate::random::Random;
use crate::world::{Bug, CHANNELS, CLIENTS, World};

/// Plays the order of events that `seed` stands for.
pub(crate) fn run(seed: u64, bug: Bug) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut world = World::new(bug);
    // Everything in few channels makes for more that happens at once.
    let channels = 1 + random.below(CHANNELS.len());
    let first = random.below(CHANNELS.len());
    let steps = 20 + random.below(40);
    for number in 0..steps {
        let channel = (first + random.below(channels)) % CHANNELS.len();
        step(&mut world, &mut random, channel, number as u64 + 2);
        world.look();
        world.poll_heals();
        if let Some(wrong) = world.wrong {
            return Err(format!("step {number}: {wrong}"));
        }
    }
    finish(&mut world);
    match world.wrong {
        Some(wrong) => Err(format!("at the end: {wrong}")),
        None => complete(&world),
    }
}

fn step(world: &mut World, random: &mut Random, channel: usize, id: u64) {
    let client = random.below(CLIENTS);
    match random.below(64) {
        0..=13 => world.publish(channel),
        14..=27 => world.deliver(),
        28..=33 => subscribe(world, client, channel, id, random.chance(4)),
        34..=39 => work(world, random),
        40..=45 => {
            let index = random.below(2);
            world.arrive(index);
        }
        46..=48 => work_heal(world, random),
        49..=51 => world.heal(0),
        52 => unsubscribe(world, client, channel, id),
        // Lost on the way, with a word or without.
        53..=54 => drop(world.mailbox.pop_front()),
        55 => {
            if let Some(event) = world.mailbox.pop_back() {
                world.hub.heal(world.now, crate::world::settings(), &event.channel);
            }
        }
        56 => world.streams[channel].clear(),
        57 => world.lose_stream(channel),
        58 => world.reconnect(client),
        59 => subscribe_by_server(world, client, channel, random.chance(2)),
        60 => world.act(client, |session, turn| {
            session.unsubscribe_by_server(turn, CHANNELS[channel], Unsubscribed::BY_SERVER);
        }),
        61 => world.pass(30_000),
        _ => world.pass(60),
    }
}

fn position(world: &World, client: usize, channel: &str) -> Option<StreamPosition> {
    let seen = world.clients[client].observer.channels.get(channel)?;
    let epoch = Epoch::from(seen.epoch.as_str());
    (!epoch.is_unknown()).then_some(StreamPosition { offset: seen.offset, epoch })
}

fn subscribe(world: &mut World, client: usize, channel: usize, id: u64, anew: bool) {
    let channel = CHANNELS[channel];
    let since = position(world, client, channel).filter(|_| !anew);
    let since_or_start = since.clone().unwrap_or_default();
    let filter =
        FilterNode { key: "kind".into(), cmp: "eq".into(), val: "odd".into(), ..FilterNode::default() };
    let request = SubscribeRequest {
        channel: channel.into(),
        recover: since.is_some(),
        offset: since_or_start.offset,
        epoch: since_or_start.epoch.as_str().to_owned(),
        delta: if channel.starts_with("diff:") { "fossil".into() } else { String::new() },
        tf: channel.starts_with("pick:").then(|| Box::new(filter)),
        ..SubscribeRequest::default()
    };
    let since = since.map(|since| (since.offset, since.epoch.as_str().to_owned()));
    command(world, client, (channel, since), id, Request::Subscribe(Box::new(request)));
}

fn unsubscribe(world: &mut World, client: usize, channel: usize, id: u64) {
    let channel = CHANNELS[channel];
    let request = UnsubscribeRequest { channel: channel.into() };
    command(world, client, (channel, None), id, Request::Unsubscribe(request));
}

fn command(
    world: &mut World,
    client: usize,
    about: (&'static str, Option<Position>),
    id: u64,
    request: Request,
) {
    world.clients[client].observer.commands.insert(id, about);
    let command = Command { id: u32::try_from(id).unwrap(), request };
    world.act(client, |session, turn| session.handle_command(turn, command));
}

/// Without a filter, so not where clients have one; and only of what the client does not have, which would be announced
/// again.
fn subscribe_by_server(world: &mut World, client: usize, channel: usize, recovers: bool) {
    let name = CHANNELS[channel];
    let has =
        world.hub.get(u32::try_from(client).unwrap()).is_some_and(|client| client.session.has_channel(name));
    if has || name.starts_with("pick:") {
        return;
    }
    let recover_since = position(world, client, name).filter(|_| recovers);
    let request = ServerSubscribe { recover_since, ..ServerSubscribe::default() };
    world.act(client, |session, turn| session.subscribe_by_server(turn, &name.into(), request));
}

fn work(world: &mut World, random: &mut Random) {
    if world.asked.is_empty() {
        return;
    }
    let index = random.below(world.asked.len());
    let (key, context, ask) = world.asked.remove(index);
    let outcome = if random.chance(16) {
        Outcome::failed(&ask, flywheel_protocol::ErrorCode::INTERNAL.into())
    } else {
        world.outcome(key, &ask)
    };
    world.answered.push((key, context, outcome));
}

fn work_heal(world: &mut World, random: &mut Random) {
    if !world.reads.is_empty() {
        let read = world.reads.remove(0);
        let history = (!random.chance(8)).then(|| world.answer_read(&read));
        world.read.push((read, history));
    }
}

/// Everything that is on its way arrives, and time passes until positions have been checked.
fn finish(world: &mut World) {
    for round in 0..200 {
        while !(world.mailbox.is_empty() && world.asked.is_empty() && world.answered.is_empty()) {
            world.deliver();
            if let Some((key, context, ask)) = world.asked.pop() {
                let outcome = world.outcome(key, &ask);
                world.answered.push((key, context, outcome));
            }
            world.arrive(0);
            world.look();
        }
        world.poll_heals();
        while !(world.reads.is_empty() && world.read.is_empty()) {
            let read = (!world.reads.is_empty()).then(|| world.reads.remove(0));
            if let Some(read) = read {
                let history = world.answer_read(&read);
                world.read.push((read, Some(history)));
            }
            world.heal(0);
            world.look();
            world.poll_heals();
        }
        let done = world.hub.healing() == 0 && world.asked.is_empty() && world.answered.is_empty();
        match round {
            // Positions are checked after 40 s of silence at a tick that comes every 27 s.
            0..=3 => world.pass(27_000),
            _ if done || world.bug == Bug::ForgetHealing => break,
            _ => world.pass(60),
        }
        world.look();
    }
    world.look();
}

/// Whoever is subscribed has everything up to the end of the stream.
fn complete(world: &World) -> Result<(), String> {
    for client in &world.clients {
        for (channel, seen) in client.observer.channels.iter().filter(|(_, seen)| seen.subscribed) {
            let index = CHANNELS.iter().position(|name| name == channel).unwrap();
            let top = world.streams[index].position();
            let missed = (seen.offset + 1..=top.offset).find(|offset| admitted(channel, *offset));
            if missed.is_some() || seen.epoch != top.epoch.as_str() || seen.offset > top.offset {
                return Err(format!("{channel} ends at {top}, the client is at {seen:?}"));
            }
        }
    }
    Ok(())
}
