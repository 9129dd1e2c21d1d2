use std::sync::{Arc, Weak};

use super::shard::alive;
use super::{Asked, Detail, Routes, Server, Shard, Verdict, judge, masters};
use crate::link::{Endpoint, Facts, Link, Mode};
use crate::resp::Command;

/// Keeps one server, or the cluster that it turns out to belong to.
pub(super) async fn run(weak: Weak<Shard>, endpoint: Endpoint) {
    let Some(shard) = alive(&weak) else { return };
    let (keys, at) = (shard.settings().keys.clone(), endpoint.to_string());
    let judged = move |facts: &Facts| judge(Asked::Server, facts, &Detail::default(), &at, &keys).admits();
    let admission = shard.admission(Arc::new(judged), "address");
    let link = shard.settings().link.clone();
    let server = Server::start(endpoint.clone(), link, true, admission, shard.context());
    let mut states = server.states();
    shard.set_routes(Routes::of_server(server));
    drop(shard);
    while states.changed().await.is_ok() {
        let facts = states.borrow_and_update().facts.clone();
        let Some(shard) = alive(&weak) else { continue };
        // Whoever waits for the server looks whether it was refused.
        shard.touch();
        let Some(facts) = facts else { continue };
        match facts.mode {
            Mode::Standalone => {
                if shard.set_mode(Mode::Standalone) {
                    shard.set_refusal(None);
                } else {
                    shard.set_refusal(Some(format!("{endpoint} is no cluster any more; restart to use it")));
                }
            }
            Mode::Cluster => {
                let keys = &shard.settings().keys;
                let detail = Detail::default();
                if let Verdict::Adapt(_, reason) =
                    judge(Asked::Server, &facts, &detail, &endpoint.to_string(), keys)
                {
                    if shard.settings().is_strict {
                        shard.set_refusal(Some(reason));
                        continue;
                    }
                    tracing::warn!(name = %shard.settings().name, %reason, "Redis is not what it is configured as");
                }
                if !shard.set_mode(Mode::Cluster) {
                    shard.set_refusal(Some(format!("{endpoint} has become a cluster; restart to use it")));
                    continue;
                }
                shard.set_routes(Routes::default());
                drop(shard);
                return super::cluster::run(weak, vec![endpoint]).await;
            }
            Mode::Sentinel => refuse_sentinel(&shard, &endpoint, &facts).await,
        }
    }
}

/// Says what to write instead, with the names that the Sentinel watches.
async fn refuse_sentinel(shard: &Shard, endpoint: &Endpoint, facts: &Facts) {
    let super::Context { clock, random, tasks } = shard.context();
    let settings = &shard.settings().link;
    let mut detail = Detail::default();
    if let Ok(link) = Link::connect(endpoint, settings, clock, random, tasks).await
        && let Ok(answer) =
            link.call(Command::new("ROLE"), shard.context().now() + settings.silence_max).await
    {
        detail.masters = masters(&answer);
    }
    let verdict = judge(Asked::Server, facts, &detail, &endpoint.to_string(), &shard.settings().keys);
    if let Verdict::Refuse(reason) = verdict {
        shard.set_refusal(Some(reason));
    }
}
