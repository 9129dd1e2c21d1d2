//! Looks at the servers of Redis, one after the other, with the eyes of the engine.

mod cluster;
mod patient;
mod primary;
mod pubsub;
mod sentinel;

use std::collections::BTreeMap;

use flywheel_config::{RedisServers, RedisSettings, RedisTopology};
use flywheel_redis::link::{Endpoint, Mode};
use flywheel_redis::topology::{Asked, Verdict, judge};

use super::Finding;
use super::surroundings::Surroundings;
use crate::redis;
use patient::Patient;

/// Which shard each process was found in, by its run id: two shards on one server are a mistake.
pub(super) type Seen = BTreeMap<String, String>;

/// Examines all shards of a section.
pub(super) async fn examine(settings: &RedisSettings, world: &Surroundings, findings: &mut Vec<Finding>) {
    let mut seen = Seen::new();
    for shard in &settings.shards {
        let link = match redis::link(&settings.key, shard) {
            Ok(link) => link,
            Err(error) => {
                findings.push(Finding::broken(&shard.key, "tls", format!("{error:#}"), ""));
                continue;
            }
        };
        let mut patient = Patient::new(settings, shard, link, world, &mut seen);
        match &shard.servers {
            RedisServers::Plain(address) => {
                servers(&mut patient, Asked::Server, vec![redis::endpoint(address)]).await;
            }
            RedisServers::Cluster(nodes) => {
                let endpoints = nodes.iter().map(redis::tcp).collect();
                servers(&mut patient, Asked::Cluster, endpoints).await;
            }
            RedisServers::Sentinel(sentinels) => sentinel::examine(&mut patient, sentinels).await,
        }
        findings.append(&mut patient.findings);
    }
}

/// Examines servers that are asked what they are. The nodes of one cluster are examined once.
async fn servers(patient: &mut Patient<'_>, asked: Asked, endpoints: Vec<Endpoint>) {
    let mut cluster = None;
    for endpoint in &endpoints {
        let Some(reached) = patient.reach(endpoint).await else { continue };
        let address = endpoint.to_string();
        match judge(asked, reached.facts(), &reached.detail, &address, &patient.settings.key) {
            Verdict::Use => {}
            Verdict::Adapt(_, text) if patient.settings.topology == RedisTopology::Strict => {
                let advice = format!("or write {}.topology: auto", patient.settings.key);
                patient.broken("role", text, advice);
                continue;
            }
            Verdict::Adapt(_, text) => patient.warning("role", text, ""),
            // The rest of a cluster may be worth a look.
            Verdict::Wait(text) if reached.facts().mode == Mode::Cluster => patient.broken("role", text, ""),
            Verdict::Wait(text) | Verdict::Refuse(text) => {
                patient.broken("role", text, "");
                continue;
            }
        }
        if reached.facts().mode == Mode::Cluster {
            cluster.get_or_insert((endpoint.clone(), reached));
        } else {
            primary::examine(patient, &reached, None).await;
            pubsub::examine(patient, &reached, &reached.link, None).await;
        }
    }
    if let Some((endpoint, reached)) = cluster {
        cluster::examine(patient, &endpoint, &reached).await;
    }
}
