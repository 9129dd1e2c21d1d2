use std::net::IpAddr;
use std::time::Duration;

use flywheel_config::{RedisSettings, RedisShard};
use flywheel_redis::explain::{Explanation, Place, explain, explain_call};
use flywheel_redis::link::{
    CallError, Endpoint, Facts, Link, LinkError, LinkSettings, Mode, Role, Tls, TlsSettings,
};
use flywheel_redis::resp::{Command, Value};
use flywheel_redis::topology::{ClusterState, Detail, masters};
use tokio::time::timeout;

use super::super::Finding;
use super::super::surroundings::Surroundings;
use super::Seen;

/// A shard under examination.
pub(super) struct Patient<'a> {
    pub(super) settings: &'a RedisSettings,
    pub(super) shard: &'a RedisShard,
    pub(super) world: &'a Surroundings,
    pub(super) findings: Vec<Finding>,
    pub(super) seen: &'a mut Seen,
    pub(super) link: LinkSettings,
}

/// A server that was reached, and what it says of itself.
pub(super) struct Reached {
    pub(super) link: Link,
    pub(super) detail: Detail,
}

impl Reached {
    pub(super) fn facts(&self) -> &Facts {
        self.link.facts()
    }
}

impl<'a> Patient<'a> {
    pub(super) fn new(
        settings: &'a RedisSettings,
        shard: &'a RedisShard,
        link: LinkSettings,
        world: &'a Surroundings,
        seen: &'a mut Seen,
    ) -> Self {
        Self { settings, shard, world, findings: Vec::new(), seen, link }
    }

    pub(super) fn fine(&mut self, check: &'static str, text: impl Into<String>) {
        self.findings.push(Finding::fine(&self.shard.key, check, text));
    }

    pub(super) fn timed(&mut self, check: &'static str, text: impl Into<String>, took: Duration) {
        self.findings.push(Finding::fine(&self.shard.key, check, text).took(took));
    }

    pub(super) fn warning(
        &mut self,
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.findings.push(Finding::warning(&self.shard.key, check, text, advice));
    }

    pub(super) fn broken(&mut self, check: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.findings.push(Finding::broken(&self.shard.key, check, text, advice));
    }

    pub(super) fn explained(&mut self, check: &'static str, explanation: Explanation) {
        self.broken(check, explanation.text, explanation.advice);
    }

    /// Explains a call that failed.
    pub(super) fn failed(&mut self, check: &'static str, error: &CallError, at: &Link, what: &str) {
        let explanation =
            explain_call(error, &at.endpoint().to_string(), what, self.place(false, &self.link));
        self.explained(check, explanation);
    }

    /// Where this shard stands in the configuration.
    fn place(&self, to_sentinel: bool, link: &LinkSettings) -> Place<'a> {
        Place {
            keys: &self.settings.key,
            address: &self.shard.key,
            to_sentinel,
            encrypted: link.tls.is_some(),
        }
    }

    /// Resolves, connects and asks a server what it is; reports whatever fails.
    pub(super) async fn reach(&mut self, endpoint: &Endpoint) -> Option<Reached> {
        let settings = self.link.clone();
        self.reach_with(endpoint, &settings, false).await
    }

    /// The same with settings of their own, as for Sentinels.
    pub(super) async fn reach_with(
        &mut self,
        endpoint: &Endpoint,
        settings: &LinkSettings,
        to_sentinel: bool,
    ) -> Option<Reached> {
        if !self.resolves(endpoint, settings.connect_timeout).await {
            return None;
        }
        let begun = self.world.clock.elapsed();
        let link = match self.dial(endpoint, settings).await {
            Ok(link) => link,
            Err(error) => {
                let explanation = self.diagnosis(endpoint, settings, to_sentinel, &error).await;
                self.explained("connect", explanation);
                return None;
            }
        };
        let took = self.world.clock.elapsed().saturating_sub(begun);
        let detail = self.detail(&link).await;
        self.timed("connect", format!("connected to {endpoint}, {}", introduction(link.facts())), took);
        Some(Reached { link, detail })
    }

    async fn dial(&self, endpoint: &Endpoint, settings: &LinkSettings) -> Result<Link, LinkError> {
        let Surroundings { clock, random, tasks } = self.world;
        Link::connect(endpoint, settings, clock, random, tasks).await
    }

    /// Says what is wrong; tries whether the other choice about TLS works, since servers do not say so themselves.
    async fn diagnosis(
        &self,
        endpoint: &Endpoint,
        settings: &LinkSettings,
        to_sentinel: bool,
        error: &LinkError,
    ) -> Explanation {
        let place = self.place(to_sentinel, settings);
        let mut explanation = explain(error, place);
        if !matches!(error, LinkError::Tls { .. } | LinkError::NotRedis { .. } | LinkError::TimedOut { .. }) {
            return explanation;
        }
        let section = format!("{}.{}tls", place.keys, if to_sentinel { "sentinel_" } else { "" });
        let any = TlsSettings { insecure_skip_verify: true, ..TlsSettings::default() };
        let encrypted = Tls::new(&any).ok().filter(|_| !place.encrypted);
        let other = LinkSettings { tls: encrypted.clone(), ..settings.clone() };
        if !place.encrypted && encrypted.is_none() {
            return explanation;
        }
        let answers = match self.dial(endpoint, &other).await {
            Ok(_) | Err(LinkError::Refused { .. }) => true,
            // Who asks for a certificate speaks TLS.
            Err(LinkError::NotRedis { reason, .. }) => !place.encrypted && reason.contains("Certificate"),
            Err(_) => false,
        };
        if answers && place.encrypted {
            explanation.text = format!("{endpoint} speaks no TLS ({error})");
            explanation.advice = format!("write redis:// instead of rediss://, or {section}.enabled: false");
        } else if answers {
            explanation.text = format!("{endpoint} speaks TLS only ({error})");
            explanation.advice = format!("write rediss:// instead of redis://, or {section}.enabled: true");
        }
        explanation
    }

    async fn resolves(&mut self, endpoint: &Endpoint, time: Duration) -> bool {
        let Endpoint::Tcp { host, port } = endpoint else { return true };
        if host.parse::<IpAddr>().is_ok() {
            return true;
        }
        let begun = self.world.clock.elapsed();
        let found = timeout(time, tokio::net::lookup_host((host.as_str(), *port))).await;
        let reason = match found {
            Ok(Ok(addresses)) => {
                let mut addresses: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
                addresses.dedup();
                if !addresses.is_empty() {
                    let took = self.world.clock.elapsed().saturating_sub(begun);
                    self.timed("resolve", format!("{host} is {}", addresses.join(", ")), took);
                    return true;
                }
                "it has none".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", time.as_millis()),
        };
        let error = LinkError::NoAddress { host: host.clone(), reason };
        let explanation = explain(&error, self.place(false, &self.link));
        self.explained("resolve", explanation);
        false
    }

    /// What detection asks beyond the greeting. What a server does not answer stays unknown.
    async fn detail(&self, link: &Link) -> Detail {
        let mut detail = Detail::default();
        match link.facts().mode {
            Mode::Standalone => {}
            Mode::Cluster => {
                let answer = self.ask(link, Command::new("CLUSTER INFO")).await;
                detail.cluster = answer.ok().map(|info| ClusterState::parse(info.text().unwrap_or_default()));
            }
            Mode::Sentinel => {
                let answer = self.ask(link, Command::new("ROLE")).await;
                detail.masters = answer.map(|role| masters(&role)).unwrap_or_default();
            }
        }
        detail
    }

    /// A call with the deadline that the engine would give it.
    pub(super) async fn ask(&self, link: &Link, command: Command) -> Result<Value, CallError> {
        let deadline = self.world.clock.now().at + self.shard.io_timeout;
        link.call(command, deadline).await
    }
}

fn introduction(facts: &Facts) -> String {
    let server = match facts.server.as_str() {
        "" | "redis" => "Redis",
        "valkey" => "Valkey",
        other => other,
    };
    let role = match (facts.mode, &facts.role) {
        (Mode::Sentinel, _) => "a Sentinel".to_owned(),
        (Mode::Cluster, Role::Primary) => "a primary of a cluster".to_owned(),
        (Mode::Cluster, _) => "a node of a cluster".to_owned(),
        (Mode::Standalone, Role::Primary) => "a primary".to_owned(),
        (Mode::Standalone, Role::Replica { of }) => format!("a replica of {of}"),
        (Mode::Standalone, Role::Unknown(_)) => "which does not say what it is".to_owned(),
    };
    if facts.version.is_empty() {
        format!("{server}, {role}")
    } else {
        format!("{server} {}, {role}", facts.version)
    }
}
