//! How Redis is reached. Sections that nothing uses are left alone.

use serde_json::Value;

use super::Check;
use crate::config::{RedisServers, RedisShard, shards};
use crate::schema::{ROOT, Shape, default_object, default_value, entry_at, key};
use crate::tree;
use crate::view::View;

/// As many as the reference has tags for.
const PARTITIONS_MAX: i64 = 4096;

pub(super) fn check(check: &mut Check<'_>, tree: &View<'_>) {
    let (engine, broker) = (tree.section("engine"), tree.section("broker"));
    let presence = tree.section("presence_manager");
    let is_redis = |section: &View<'_>| section.text("type") == "redis";
    let replaced = broker.is("enabled") && presence.is("enabled");
    // The engine carries what no other section does; messages between nodes go with publications that are in Redis.
    let used = is_redis(&engine) && !(replaced && is_redis(&broker));
    section(check, tree, &engine, used, "write engine.type: redis to use it");
    for own in [&broker, &presence] {
        if own.is("enabled") {
            section(check, tree, own, is_redis(own), &format!("write {}: redis to use it", own.key("type")));
        }
    }
}

fn section(check: &mut Check<'_>, tree: &View<'_>, owner: &View<'_>, used: bool, advice: &str) {
    let redis = owner.section("redis");
    if used {
        settings(check, tree, &redis);
    } else if differs(check, redis.shown()) && owner.text("type") != "redis" {
        let text =
            format!("it has no effect, since {} is {:?}; {advice}", owner.key("type"), owner.text("type"));
        check.remark(owner, "redis", text);
    }
}

fn settings(check: &mut Check<'_>, tree: &View<'_>, view: &View<'_>) {
    for name in ["connect_timeout", "io_timeout", "probe_interval", "topology_refresh_interval"] {
        if view.nanoseconds(name) <= 0 {
            check.refuse(view, name, "nothing waits for ever; write a time above 0, as in \"1s\"");
        }
    }
    for name in ["client_name", "sentinel_client_name"] {
        if view.text(name).bytes().any(|byte| !(b'!'..=b'~').contains(&byte)) {
            check.refuse(view, name, "Redis takes names without spaces only; write letters, digits, - and _");
        }
    }
    for name in ["tls", "sentinel_tls"] {
        certificates(check, &view.section(name));
    }
    if key(&view.key("presence_ttl")).is_some() {
        presence(check, tree, view);
    }
    addresses(check, view);
    match shards(view) {
        Err(rejected) => check.refuse(view, rejected.name, rejected.reason),
        Ok(shards) => layout(check, view, &shards),
    }
}

fn certificates(check: &mut Check<'_>, tls: &View<'_>) {
    for (there, missing) in [("cert_pem", "key_pem"), ("key_pem", "cert_pem")] {
        if !tls.text(there).is_empty() && tls.text(missing).is_empty() {
            check.refuse(
                tls,
                missing,
                format!("{there} is of use only with its other half; set both or neither"),
            );
        }
    }
}

fn presence(check: &mut Check<'_>, tree: &View<'_>, view: &View<'_>) {
    let ttl = view.time("presence_ttl");
    let refresh = tree.time("client.presence_update_interval");
    if ttl.is_zero() || ttl.subsec_nanos() != 0 {
        check.refuse(view, "presence_ttl", "Redis expires presence by whole seconds; write it as in \"60s\"");
    } else if ttl <= refresh {
        let text = format!(
            "entries expire before they are refreshed every {}s (client.presence_update_interval); write more than \
             twice that",
            refresh.as_secs_f32()
        );
        check.remark(view, "presence_ttl", text);
    }
}

/// Points out addresses that may not mean what was meant.
fn addresses(check: &mut Check<'_>, view: &View<'_>) {
    let (cluster, sentinel) = (view.texts("cluster_address"), view.texts("sentinel_address"));
    if !cluster.is_empty() && !sentinel.is_empty() {
        let text = "it has no effect beside cluster_address; remove the one that is wrong";
        check.remark(view, "sentinel_address", text);
    }
    if !(cluster.is_empty() && sentinel.is_empty()) && differs(check, &view.key("address")) {
        let used = if cluster.is_empty() { "sentinel_address" } else { "cluster_address" };
        check.remark(
            view,
            "address",
            format!("it has no effect beside {used}; remove the one that is wrong"),
        );
    }
    for (name, nodes) in [("cluster_address", &cluster), ("sentinel_address", &sentinel)] {
        if nodes.len() > 1 && nodes.iter().all(|item| !item.contains(',')) {
            let one = nodes.join(",");
            let text = format!(
                "each item is a shard of its own, so keys are divided between {} sets of servers; if these are nodes \
                 of one, write [{one:?}]",
                nodes.len()
            );
            check.remark(view, name, text);
        }
    }
    let shards = view.texts("address");
    if cluster.is_empty()
        && sentinel.is_empty()
        && shards
            .iter()
            .any(|text| text.contains(',') && !text.contains("+cluster://") && !text.contains("+sentinel://"))
    {
        let text = "each address is a shard of its own, and keys are divided between them; nodes of one cluster belong \
                    into cluster_address";
        check.remark(view, "address", text);
    }
}

fn layout(check: &mut Check<'_>, view: &View<'_>, shards: &[RedisShard]) {
    let sentinel = |shard: &RedisShard| matches!(shard.servers, RedisServers::Sentinel(_));
    if view.some_text("sentinel_master_name").is_some() && !shards.iter().any(sentinel) {
        let text = "it has no effect without sentinel_address: nothing follows a failover";
        check.remark(view, "sentinel_master_name", text);
    }
    for (name, speaks) in [
        ("tls", shards.iter().any(|shard| shard.tls.is_some())),
        (
            "sentinel_tls",
            shards.iter().any(|shard| match &shard.servers {
                RedisServers::Sentinel(sentinels) => sentinels.tls.is_some(),
                RedisServers::Plain(_) | RedisServers::Cluster(_) => true,
            }),
        ),
    ] {
        if !speaks && differs(check, &view.key(name)) {
            check.remark(view, name, format!("it has no effect; write {name}.enabled: true to speak TLS"));
        }
    }
    let partitions = view.int("sharded_pub_sub_partitions");
    if !(0..=PARTITIONS_MAX).contains(&partitions) {
        let reason = format!("{partitions} is out of range; write 0 to {PARTITIONS_MAX}");
        check.refuse(view, "sharded_pub_sub_partitions", reason);
    } else if partitions > 0 && shards.iter().any(sentinel) {
        let reason = "only Redis Cluster spreads PUB/SUB; write 0 with sentinel_address";
        check.refuse(view, "sharded_pub_sub_partitions", reason);
    }
    let prefix = view.text("prefix");
    let tag = prefix.split_once('{').map(|(_, rest)| rest.split_once('}').map_or("", |(tag, _)| tag));
    if shards.iter().any(|shard| shard.servers.is_cluster()) {
        match tag {
            Some("") => {
                let reason = "a cluster reads a brace as the beginning of a tag, and this one has no end or nothing in it; \
                              write a prefix without braces";
                check.refuse(view, "prefix", reason);
            }
            Some(_) => {
                let text = "all keys have the same tag, so a cluster keeps all of them in one slot; write a prefix without \
                            braces to spread them";
                check.remark(view, "prefix", text);
            }
            None => {}
        }
    }
}

/// Whether a key, or a section without lists, is not as it is when nobody sets it.
fn differs(check: &Check<'_>, path: &str) -> bool {
    let default = entry_at(ROOT, path).map(|entry| match entry.shape {
        Shape::Value(kind, literal) => default_value(kind, literal),
        Shape::Block(fragments) => default_object(fragments),
        Shape::List(_) => Value::Array(Vec::new()),
    });
    tree::get(&check.merged.tree, path) != default.as_ref()
}
