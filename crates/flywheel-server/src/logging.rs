use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use flywheel_config::{Log, LogLevel};
use flywheel_runtime::Clock;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, reload};

use crate::flood::{Flood, Gate};

/// The log of the process: lines for people on a terminal, JSON otherwise.
#[derive(Debug)]
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    flood: Arc<Flood>,
}

impl Logging {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// The file cannot be opened, or the process logs already.
    pub fn start(settings: &Log) -> anyhow::Result<Self> {
        let (filter, level) = reload::Layer::new(level(settings.level));
        let (writer, terminal) = match &settings.file {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.with_context(|| format!("log.file: cannot open {path}"))?;
                (BoxMakeWriter::new(Mutex::new(file)), false)
            }
            None => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
        };
        let format = tracing_subscriber::fmt::layer().with_writer(writer);
        let lines = if terminal {
            format.with_target(false).boxed()
        } else {
            format.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        };
        let flood = Arc::new(Flood::new(Clock::system()));
        let gate = Gate(Arc::clone(&flood));
        let log = tracing_subscriber::registry().with(filter).with(lines).with(gate);
        log.try_init().context("cannot start the log")?;
        Ok(Self { level, flood })
    }

    /// Changes what is important enough to be written.
    pub fn set_level(&self, wanted: LogLevel) {
        if self.level.modify(|filter| *filter = level(wanted)).is_err() {
            tracing::warn!("the log level could not be changed");
        }
    }

    /// Writes how many lines were left out since this was last called, because the same ones came too often.
    pub fn report_left_out(&self) {
        for left_out in self.flood.take_left_out() {
            let crate::flood::LeftOut { module, line, count } = left_out;
            tracing::warn!(module, line, count, "lines like the last ones were left out of the log");
        }
    }

    /// For whoever shares it.
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::None => LevelFilter::OFF,
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
    }
}
