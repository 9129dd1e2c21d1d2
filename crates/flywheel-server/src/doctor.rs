//! Looks at everything that a server with this configuration stands on, and says what to change.

mod redis;
mod report;
mod surroundings;

use std::sync::Arc;

use flywheel_config::{Config, ConfigError, Loaded, RedisSettings};
use flywheel_runtime::{Clock, Random, Tasks};

use crate::{ConfigSource, LoadFailure, assemble};

pub use report::{Finding, Level, Report};
use surroundings::Surroundings;

const CONFIGURATION: &str = "configuration";

/// Examines the configuration and the services that it names. Every step has a deadline; nothing is left behind.
pub fn examine(source: &ConfigSource) -> Report {
    let mut report = Report::default();
    match source.load() {
        Ok((loaded, missing)) => {
            configuration(&loaded, source, missing, &mut report);
            services(&loaded.config, &mut report);
        }
        Err(failure) => {
            report.unusable = true;
            unusable(failure, &mut report);
        }
    }
    report
}

fn configuration(loaded: &Loaded, source: &ConfigSource, missing: bool, report: &mut Report) {
    let name = source.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    report.findings.push(if missing {
        let text = format!("{name} is not there, defaults are in force, and they let nobody in");
        Finding::warning(
            CONFIGURATION,
            "load",
            text,
            "write one with `flywheel genconfig`, or name it with --config",
        )
    } else {
        Finding::fine(CONFIGURATION, "load", format!("{name} can be used"))
    });
    let warnings = loaded.warnings.iter();
    report
        .findings
        .extend(warnings.map(|warning| Finding::warning(CONFIGURATION, "keys", warning.to_string(), "")));
    // What only a start would find: keys and patterns that cannot be used, addresses that are none.
    let config = &loaded.config;
    let started = assemble::access(config).map(drop).and(assemble::door(config).map(drop));
    let listening = assemble::addresses(config).map(drop);
    for error in [started.err(), listening.err()].into_iter().flatten() {
        report.findings.push(Finding::broken(CONFIGURATION, "settings", format!("{error:#}"), ""));
    }
}

fn unusable(failure: LoadFailure, report: &mut Report) {
    match failure {
        LoadFailure::File(reason) => report.findings.push(Finding::broken(CONFIGURATION, "load", reason, "")),
        LoadFailure::Invalid(errors) => {
            let broken = |error: ConfigError| Finding::broken(CONFIGURATION, "load", error.to_string(), "");
            report.findings.extend(errors.into_iter().map(broken));
        }
    }
}

fn services(config: &Config, report: &mut Report) {
    let redis = config.engine.redis();
    if !redis.is_empty()
        && let Err(error) = examined(&redis, report)
    {
        report.findings.push(Finding::broken("engine.type", "engine", format!("{error:#}"), ""));
    }
    if redis.is_empty() {
        let text = "memory: one node, which needs no other service";
        report.findings.push(Finding::fine("engine.type", "engine", text));
    }
}

/// A runtime of its own, which ends with the examination.
fn examined(all: &[&Arc<RedisSettings>], report: &mut Report) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let tasks = Tasks::new(runtime.handle().clone());
    let surroundings = Surroundings { clock: Clock::system(), random: Arc::new(Random::system()), tasks };
    for settings in all {
        runtime.block_on(redis::examine(settings, &surroundings, &mut report.findings));
    }
    runtime.shutdown_background();
    Ok(())
}
