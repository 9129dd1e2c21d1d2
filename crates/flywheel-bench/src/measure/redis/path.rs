//! The whole way: an HTTP request at one node, Redis, and a client at another node.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::{self, Wishes};
use crate::clock::Deadline;
use crate::flywheel::Flywheel;
use crate::peer::Peer;
use crate::redis::server::Redis;
use crate::report::{Table, median};
use crate::{clock, meter, wire};

const REQUESTS: usize = 20_000;
const AT_ONCE: usize = 64;
const LIMIT: Duration = Duration::from_mins(1);

/// Publishes over the API of one server, and counts what a client of the other one receives.
pub(super) fn measure(program: &Path, rounds: usize) -> Result<(Table, Value)> {
    let redis = Redis::alone()?;
    let (one, other) =
        (Flywheel::start_on(program, &redis.seed())?, Flywheel::start_on(program, &redis.seed())?);
    let channel = format!("{}:{}", wire::LOG, wire::CHANNEL);
    let mut client = client::open(other.address, &channel, Wishes::default())?;
    let (address, at_once) = (one.address.to_string(), AT_ONCE.to_string());
    let mut load =
        Peer::start("post", &["--address", &address, "--at-once", &at_once, "--channel", &channel])?;
    load.hear("ready")?;
    let cpu = || -> Result<[f64; 3]> {
        Ok([meter::cpu_ns(one.peer.pid())?, meter::cpu_ns(other.peer.pid())?, redis.cpu_ns()?])
    };
    let mut samples: [Vec<f64>; 4] = Default::default();
    for round in 0..=rounds {
        let (before, began) = (cpu()?, clock::nanos()?);
        load.say(&format!("go {REQUESTS}"))?;
        count(&mut client, REQUESTS)?;
        load.hear("done")?;
        let (after, ended) = (cpu()?, clock::nanos()?);
        let is_warm_up = round == 0;
        if !is_warm_up {
            for (index, sample) in samples[..3].iter_mut().enumerate() {
                sample.push((after[index] - before[index]) / REQUESTS as f64 / 1e3);
            }
            samples[3].push(REQUESTS as f64 * 1e9 / (ended - began) as f64);
        }
    }
    let mut table = Table::new(
        format!(
            "redis: µs of CPU per publication from POST /api/publish, {AT_ONCE} connections, to a client of another node"
        ),
        &["publications per second", "node of the API", "node of the client", "Redis"],
    );
    let [api, delivery, server, rate] = samples.each_ref().map(|sample| median(sample));
    table.row([format!("{rate:.0}"), format!("{api:.1}"), format!("{delivery:.1}"), format!("{server:.1}")]);
    Ok((table, json!({ "rate": rate, "api_us": api, "delivery_us": delivery, "redis_us": server })))
}

/// Reads so many frames.
fn count(client: &mut TcpStream, frames: usize) -> Result<()> {
    let deadline = Deadline::after(LIMIT);
    let (mut unread, mut chunk) = (Vec::new(), vec![0; 256 << 10]);
    let mut left = frames;
    while left > 0 {
        match client.read(&mut chunk) {
            Ok(0) => anyhow::bail!("the server closed the client"),
            Ok(count) => unread.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error).context("receiving"),
        }
        let mut rest = unread.as_slice();
        while let Some(frame) = wire::take_frame(&mut rest)? {
            ensure!(left > 0 && frame.len() > wire::PUSH_BYTES, "{}", String::from_utf8_lossy(frame));
            // A frame may hold several publications, one in a line.
            let publications = frame.windows(7).filter(|part| part == b"{\"push\"").count();
            left = left.checked_sub(publications).context("more publications than were made")?;
        }
        let read = unread.len() - rest.len();
        unread.drain(..read);
        ensure!(!deadline.is_over(), "{left} of {frames} publications have not come");
    }
    Ok(())
}
