//! A Redis, a node that publishes, and one that hears it.

use anyhow::{Context as _, Result};

use crate::meter;
use crate::peer::Peer;
use crate::redis::limit::{self, Limit};
use crate::redis::server::Redis;
use crate::redis::talk::Talk;

/// What is measured together.
pub(super) struct Ground {
    pub(super) redis: Redis,
    pub(super) publisher: Peer,
    pub(super) listener: Option<Peer>,
    /// One on each primary.
    pub(super) channels: Vec<String>,
    limits: Vec<Limit>,
}

/// What a run took. CPU in microseconds for each publication.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    /// Publications in a second: until the last is answered for the limit, until it is delivered for the engine if
    /// somebody listens.
    pub(super) rate: f64,
    /// The same by the time in which Redis ran or could have run: without that for which others had the processors.
    pub(super) own_rate: f64,
    pub(super) redis_us: f64,
    pub(super) publisher_us: f64,
    pub(super) listener_us: f64,
}

impl Ground {
    /// With a node that listens, or without.
    pub(super) fn new(redis: Redis, listens: bool) -> Result<Self> {
        let channels = redis.channels()?;
        let mut publisher = engine(&redis)?;
        let mut listener = None;
        if listens {
            let listener = listener.insert(engine(&redis)?);
            listener.ask(&format!("listen {}", channels.join(" ")), "done")?;
            redis.wait_heard(&channels.iter().map(|name| messages(&redis, name)).collect::<Vec<_>>())?;
            listener.ask(&format!("expect {}", 2 * channels.len()), "done")?;
        }
        let mut limits = Vec::new();
        for (channel, server) in channels.iter().zip(redis.primaries()) {
            // Known to the server by its name from now on.
            publisher.ask(&format!("publish 1 1 {channel}"), "published")?;
            let words = Talk::to(server.port)?.overhear(channel, || {
                publisher.ask(&format!("publish 1 1 {channel}"), "published").map(drop)
            })?;
            limits.push(Limit { port: server.port, words });
        }
        // On their way through a cluster they may be late.
        if let Some(listener) = &mut listener {
            listener.ask("complete", "complete")?;
        }
        Ok(Self { redis, publisher, listener, channels, limits })
    }

    /// Publishes with the load generator of Redis.
    pub(super) fn limit(&mut self, publications: usize) -> Result<Sample> {
        self.sample(publications, |ground| {
            let run = limit::run(&ground.limits, publications / ground.limits.len())?;
            Ok((None, run.rate, Some(run.cpu_ns)))
        })
    }

    /// Publishes with the engine.
    pub(super) fn engine(&mut self, publications: usize, at_once: usize) -> Result<Sample> {
        let order = format!("publish {publications} {at_once} {}", self.channels.join(" "));
        self.sample(publications, |ground| {
            let (began, ended) = times(&ground.publisher.ask(&order, "published")?)?;
            Ok((Some(began), publications as f64 * 1e9 / (ended - began) as f64, None))
        })
    }

    /// `work` answers when it began, if the time of the last delivery counts, its rate, and what the publisher used if it
    /// was not ours.
    fn sample(
        &mut self,
        publications: usize,
        work: impl FnOnce(&mut Self) -> Result<(Option<u64>, f64, Option<f64>)>,
    ) -> Result<Sample> {
        self.redis.flush()?;
        if let Some(listener) = &mut self.listener {
            listener.ask(&format!("expect {publications}"), "done")?;
        }
        let (before, waited) = (self.cpu()?, self.redis.kept_waiting_ns()?);
        let (began, mut rate, publisher) = work(self)?;
        if let Some(listener) = &mut self.listener {
            let at: u64 = listener.ask("complete", "complete")?.parse()?;
            if let Some(began) = began {
                rate = rate.min(publications as f64 * 1e9 / at.saturating_sub(began) as f64);
            }
        }
        let (after, waited) = (self.cpu()?, self.redis.kept_waiting_ns()? - waited);
        let elapsed = publications as f64 * 1e9 / rate;
        let own_rate = publications as f64 * 1e9 / (elapsed - waited).max(1.0);
        let us = |index: usize| (after[index] - before[index]) / publications as f64 / 1e3;
        let publisher_us = publisher.map_or_else(|| us(1), |ns| ns / publications as f64 / 1e3);
        Ok(Sample { rate, own_rate, redis_us: us(0), publisher_us, listener_us: us(2) })
    }

    /// CPU time of Redis, the node that publishes, and the one that listens.
    fn cpu(&self) -> Result<[f64; 3]> {
        let listener = self.listener.as_ref().map_or(Ok(0.0), |listener| meter::cpu_ns(listener.pid()))?;
        Ok([self.redis.cpu_ns()?, meter::cpu_ns(self.publisher.pid())?, listener])
    }
}

/// A node on the Redis.
pub(super) fn engine(redis: &Redis) -> Result<Peer> {
    let mut peer = Peer::start("engine", &["--redis", &redis.seed()])?;
    peer.hear("ready")?;
    Ok(peer)
}

/// Two times in an answer.
pub(super) fn times(answer: &str) -> Result<(u64, u64)> {
    let (began, ended) = answer.split_once(' ').with_context(|| format!("no times in {answer:?}"))?;
    Ok((began.parse()?, ended.parse()?))
}

fn messages(redis: &Redis, channel: &str) -> String {
    if redis.primaries().len() > 1 {
        format!("centrifugo.client.{{{channel}}}")
    } else {
        format!("centrifugo.client.{channel}")
    }
}
