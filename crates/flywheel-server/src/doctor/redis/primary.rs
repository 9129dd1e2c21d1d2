use std::time::Duration;

use flywheel_redis::link::Mode;
use flywheel_redis::resp::{Command, Value};

use super::super::report::milliseconds;
use super::patient::{Patient, Reached};

const PINGS: usize = 20;
/// A round trip that everything waits for: above it, a node is felt to be slow.
const SLOW: Duration = Duration::from_millis(20);
/// Clocks of nodes decide when presence expires.
const APART: Duration = Duration::from_secs(1);
/// What a probe leaves behind if it dies.
const PROBE_TTL_MS: u64 = 10_000;
/// As the engine does: written by a script.
const WRITE: &str = "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) local read = redis.call('GET', KEYS[1]) redis.call('DEL', KEYS[1]) \
     return read";

/// Examines a server that writes go to; in a cluster, with a tag for a slot that it owns.
pub(super) async fn examine(patient: &mut Patient<'_>, at: &Reached, tag: Option<&str>) {
    twice(patient, at);
    version(patient, at);
    round_trips(patient, at).await;
    writes(patient, at, tag).await;
    clocks(patient, at).await;
    if at.facts().mode == Mode::Standalone || tag.is_some() {
        setup(patient, at).await;
    }
}

fn twice(patient: &mut Patient<'_>, at: &Reached) {
    if at.facts().run_id.is_empty() {
        return;
    }
    let this = patient.shard.key.clone();
    let before = patient.seen.entry(at.facts().run_id.clone()).or_insert_with(|| this.clone()).clone();
    if before != this {
        let text = format!("{} is the same server as in {before}", at.link.endpoint());
        let advice = "nodes of one cluster, and Sentinels of one primary, are written in one item, separated by commas; \
                      each item is a shard of its own";
        patient.broken("shards", text, advice);
    }
}

fn version(patient: &mut Patient<'_>, at: &Reached) {
    let mut parts = at.facts().version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (Some(major), minor) = (parts.next(), parts.next().unwrap_or(0)) else { return };
    if major == 0 || !matches!(at.facts().server.as_str(), "" | "redis") {
        return;
    }
    if (major, minor) < (6, 2) {
        let text = format!("Redis {} is older than what this was tried with", at.facts().version);
        patient.warning("version", text, "move to Redis 6.2 or newer");
    }
    if (major, minor) < (7, 4) && patient.settings.presence.hash_field_ttl {
        let text = format!("Redis {} has no expiry of single fields", at.facts().version);
        let advice =
            format!("write {}.presence_hash_field_ttl: false, or move to Redis 7.4", patient.settings.key);
        patient.broken("version", text, advice);
    }
}

async fn round_trips(patient: &mut Patient<'_>, at: &Reached) {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = patient.world.clock.elapsed();
        if let Err(error) = patient.ask(&at.link, Command::new("PING")).await {
            patient.failed("ping", &error, &at.link, "PING");
            return;
        }
        times.push(patient.world.clock.elapsed().saturating_sub(begun));
    }
    times.sort_unstable();
    let (median, worst) = (times[PINGS / 2], times[PINGS - 1]);
    let (half, all) = (milliseconds(median), milliseconds(worst));
    let text = format!("half of {PINGS} round trips take {half} or less, the slowest {all}");
    if median > SLOW {
        let advice = "move the nodes closer to Redis, or look what keeps it busy (SLOWLOG GET, INFO stats)";
        patient.warning("ping", text, advice);
    } else {
        patient.timed("ping", text, median);
    }
}

async fn writes(patient: &mut Patient<'_>, at: &Reached, tag: Option<&str>) {
    let nonce = format!("{:016x}", patient.world.random.next_u64());
    let prefix = &patient.settings.prefix;
    let key = match tag {
        Some(tag) => format!("{prefix}.doctor.{{{tag}}}.{nonce}"),
        None => format!("{prefix}.doctor.{nonce}"),
    };
    let command = Command::new("EVAL").arg(WRITE).arg("1").arg(&key).arg(&nonce).number(PROBE_TTL_MS);
    let begun = patient.world.clock.elapsed();
    match patient.ask(&at.link, command).await {
        Ok(answer) if answer.text() == Some(&nonce) => {
            let took = patient.world.clock.elapsed().saturating_sub(begun);
            patient.timed("write", "a script writes, and reads what it wrote", took);
        }
        Ok(_) => {
            let text = format!("a script at {} reads something else than it wrote", at.link.endpoint());
            patient.broken("write", text, "look what stands between here and Redis");
        }
        Err(error) => patient.failed("write", &error, &at.link, "writing"),
    }
}

async fn clocks(patient: &mut Patient<'_>, at: &Reached) {
    let before = patient.world.clock.now();
    let begun = patient.world.clock.elapsed();
    let Ok(answer) = patient.ask(&at.link, Command::new("TIME")).await else { return };
    let half = patient.world.clock.elapsed().saturating_sub(begun) / 2;
    let part = |at: usize| answer.items().get(at).and_then(Value::uint).unwrap_or(0);
    let theirs = Duration::from_secs(part(0)) + Duration::from_micros(part(1));
    let ours = Duration::from_millis(u64::try_from(before.unix_millis).unwrap_or(0)) + half;
    let apart = theirs.abs_diff(ours);
    let which = if theirs > ours { "ahead of" } else { "behind" };
    let text = format!("its clock is {} s {which} ours", apart.as_secs());
    let advice = "let NTP keep all clocks; presence and tokens expire by them";
    if apart > patient.settings.presence.ttl.max(APART * 2) / 2 {
        patient.broken("clock", text, advice);
    } else if apart > APART * 2 {
        patient.warning("clock", text, advice);
    } else {
        patient.fine("clock", "its clock and ours agree");
    }
}

/// Settings of the server with which something is lost one day. Who may not read them is not told.
async fn setup(patient: &mut Patient<'_>, at: &Reached) {
    let replicas = match patient.ask(&at.link, Command::new("INFO replication")).await {
        Ok(info) => field(info.text().unwrap_or_default(), "connected_slaves"),
        Err(_) => 0,
    };
    let here = at.link.endpoint();
    if replicas > 0 && setting(patient, at, "min-replicas-to-write").await.as_deref() == Some("0") {
        let text = format!(
            "{here} has {replicas} replica(s) and writes without them: cut off, it goes on accepting what will be lost"
        );
        patient.warning("replication", text, "set min-replicas-to-write 1 and min-replicas-max-lag 2 there");
    }
    let limit = setting(patient, at, "maxmemory").await;
    let policy = setting(patient, at, "maxmemory-policy").await;
    if limit.is_some_and(|limit| limit != "0")
        && let Some(policy) = policy.filter(|policy| policy != "noeviction")
    {
        let text = format!("{here} evicts keys when its memory is full ({policy}), histories among them");
        patient.warning("memory", text, "set maxmemory-policy noeviction there, and watch its memory");
    }
}

async fn setting(patient: &Patient<'_>, at: &Reached, name: &str) -> Option<String> {
    let answer = patient.ask(&at.link, Command::new("CONFIG GET").arg(name)).await.ok()?;
    answer.get(name)?.text().map(ToOwned::to_owned)
}

fn field(info: &str, name: &str) -> u64 {
    let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
