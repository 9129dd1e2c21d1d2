use std::collections::BTreeMap;

use flywheel_config::RedisSentinels;
use flywheel_redis::link::{CallError, Endpoint};
use flywheel_redis::resp::{Command, Value};
use flywheel_redis::topology::{Asked, Verdict, judge, judge_master, unknown_master};

use super::patient::{Patient, Reached};
use super::{primary, pubsub};
use crate::redis;

/// Examines each Sentinel, then the primary that they name.
pub(super) async fn examine(patient: &mut Patient<'_>, sentinels: &RedisSentinels) {
    let link = match redis::sentinel_link(&patient.settings.key, patient.shard, sentinels) {
        Ok(link) => link,
        Err(error) => return patient.broken("tls", format!("{error:#}"), ""),
    };
    let keys = patient.settings.key.clone();
    let mut named: BTreeMap<Endpoint, Vec<String>> = BTreeMap::new();
    for address in &sentinels.addresses {
        let endpoint = redis::tcp(address);
        let Some(reached) = patient.reach_with(&endpoint, &link, true).await else { continue };
        match judge(Asked::Sentinel, reached.facts(), &reached.detail, &endpoint.to_string(), &keys) {
            Verdict::Use | Verdict::Adapt(..) => {}
            Verdict::Wait(text) | Verdict::Refuse(text) => {
                patient.broken("role", text, "");
                continue;
            }
        }
        if let Some(primary) = primary_of(patient, &reached, sentinels, &keys).await {
            named.entry(primary).or_default().push(endpoint.to_string());
            quorum(patient, &reached, &sentinels.master_name).await;
        }
    }
    if named.len() > 1 {
        let said = named.iter().map(|(primary, by)| format!("{primary} by {}", by.join(" and ")));
        let text = format!("the Sentinels name different primaries: {}", said.collect::<Vec<_>>().join(", "));
        patient.broken(
            "sentinel",
            text,
            "wait while a failover goes on; else make them watch the same server",
        );
    }
    for endpoint in named.into_keys() {
        let before = patient.findings.len();
        let Some(reached) = patient.reach(&endpoint).await else {
            if let Some(finding) = patient.findings.get_mut(before) {
                finding.text = format!("the Sentinels name {endpoint} as the primary, and {}", finding.text);
                finding.advice = format!(
                    "it must be reachable under that name; else set replica-announce-ip and replica-announce-port in \
                     Redis, or sentinel announce-ip. {}",
                    finding.advice
                );
            }
            continue;
        };
        match judge_master(reached.facts(), &endpoint.to_string(), &sentinels.master_name, &keys) {
            Verdict::Use | Verdict::Adapt(..) => {
                primary::examine(patient, &reached, None).await;
                pubsub::examine(patient, &reached, &reached.link, None).await;
            }
            Verdict::Wait(text) | Verdict::Refuse(text) => patient.broken("role", text, ""),
        }
    }
}

async fn primary_of(
    patient: &mut Patient<'_>,
    at: &Reached,
    sentinels: &RedisSentinels,
    keys: &str,
) -> Option<Endpoint> {
    let name = &sentinels.master_name;
    let command = Command::new("SENTINEL get-master-addr-by-name").arg(name);
    match patient.ask(&at.link, command).await {
        Ok(Value::Null) => {
            if let Verdict::Refuse(text) = unknown_master(name, &at.detail.masters, keys) {
                patient.broken("sentinel", text, "");
            }
            None
        }
        Ok(answer) => {
            let items = answer.items();
            let host = items.first().and_then(Value::text)?;
            let port = items.get(1).and_then(Value::uint).and_then(|port| u16::try_from(port).ok())?;
            patient.fine(
                "sentinel",
                format!("{} names {host}:{port} as the primary of {name}", at.link.endpoint()),
            );
            Some(Endpoint::tcp(host, port))
        }
        Err(error) => {
            patient.failed("sentinel", &error, &at.link, "asking for the primary");
            None
        }
    }
}

async fn quorum(patient: &mut Patient<'_>, at: &Reached, name: &str) {
    let command = Command::new("SENTINEL CKQUORUM").arg(name);
    // Whoever may not ask is told nothing.
    if let Err(CallError::Server(error)) = patient.ask(&at.link, command).await
        && error.text.starts_with("NOQUORUM")
    {
        let text = format!("{} could not fail over now ({error})", at.link.endpoint());
        patient.warning(
            "quorum",
            text,
            "bring the other Sentinels back: a majority of them must see each other",
        );
    }
}
