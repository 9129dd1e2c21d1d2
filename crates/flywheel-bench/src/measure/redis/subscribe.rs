//! How fast a node subscribes to many channels, against a bare connection that sends the same commands.

use anyhow::{Result, ensure};
use flywheel_redis::resp::Command;
use serde_json::{Value, json};

use super::ground::engine;
use crate::clock;
use crate::redis::server::Redis;
use crate::redis::talk::Talk;
use crate::report::{Table, median, percent};

/// Channels in one command, as the engine sends them.
const BATCH: usize = 512;
/// Subscriptions that clients ask for at a time.
const AT_ONCE: usize = 10_000;

/// Subscribes to `channels` channels with a connection, and then with a node.
pub(super) fn measure(channels: usize, rounds: usize) -> Result<(Table, Value)> {
    let (mut bare, mut node) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // Redis takes a while to give up so many channels, so each has one of its own.
        let first = bare_rate(channels)?;
        let second = node_rate(channels)?;
        let is_warm_up = round == 0;
        if !is_warm_up {
            bare.push(first);
            node.push(second);
        }
    }
    let shares: Vec<f64> = bare.iter().zip(&node).map(|(bare, node)| node / bare).collect();
    let mut table = Table::new(
        format!("redis: thousand channels per second, {channels} channels, {AT_ONCE} asked for at once"),
        &["bare connection", "engine", "engine / bare by pair", "median"],
    );
    table.row([
        format!("{:.0}", median(&bare) / 1e3),
        format!("{:.0}", median(&node) / 1e3),
        shares.iter().map(|share| percent(*share)).collect::<Vec<_>>().join(" "),
        percent(median(&shares)),
    ]);
    Ok((table, json!({ "bare": bare, "engine": node, "share_median": median(&shares) })))
}

fn bare_rate(channels: usize) -> Result<f64> {
    let redis = Redis::alone()?;
    let mut talk = Talk::to(redis.primaries()[0].port)?;
    let names: Vec<String> =
        (0..channels).map(|number| format!("centrifugo.client.many-{number:06}")).collect();
    let began = clock::nanos()?;
    for batch in names.chunks(BATCH) {
        let mut bytes = Vec::new();
        batch.iter().fold(Command::new("SUBSCRIBE"), Command::arg).write(&mut bytes);
        talk.send(&bytes)?;
        for _ in batch {
            let acknowledged = talk.next()?;
            ensure!(acknowledged.items().len() == 3, "{acknowledged:?}");
        }
    }
    Ok(channels as f64 * 1e9 / (clock::nanos()? - began) as f64)
}

fn node_rate(channels: usize) -> Result<f64> {
    let redis = Redis::alone()?;
    let mut node = engine(&redis)?;
    let nanos: f64 = node.ask(&format!("subscribe {channels} {AT_ONCE}"), "subscribed")?.parse()?;
    Ok(channels as f64 * 1e9 / nanos)
}
