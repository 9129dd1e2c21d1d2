use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use flywheel_config::{Log, LogLevel};
use flywheel_runtime::Clock;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, reload};

use crate::flood::{Flood, Gate};
use crate::log_queue::LogQueue;

/// The log of the process: lines for people on a terminal, JSON otherwise. Nobody waits for whoever reads it.
#[derive(Debug)]
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    flood: Arc<Flood>,
    queue: LogQueue,
}

/// While this is there, lines may still be on their way to the log; dropping it waits for them, at most a second.
#[derive(Debug)]
#[must_use = "what was written last is lost when the process ends at once"]
pub struct LastLines(LogQueue);

/// Time for the log to take the last lines of a process. Whoever reads it may have stopped.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(1);

impl Drop for LastLines {
    fn drop(&mut self) {
        self.0.flush(LAST_LINES);
    }
}

impl Logging {
    /// Starts logging for the whole process, panics included.
    ///
    /// # Errors
    /// The file cannot be opened, the process logs already, or the system has no threads left.
    pub fn start(settings: &Log) -> anyhow::Result<Self> {
        let (filter, level) = reload::Layer::new(level(settings.level));
        let (queue, terminal) = match &settings.file {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.with_context(|| format!("log.file: cannot open {path}"))?;
                (LogQueue::start(file), false)
            }
            None => (LogQueue::start(std::io::stderr()), std::io::stderr().is_terminal()),
        };
        let queue = queue.context("cannot start the thread of the log")?;
        let format = tracing_subscriber::fmt::layer().with_writer(queue.clone());
        let lines = if terminal {
            format.with_target(false).boxed()
        } else {
            format.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        };
        let flood = Arc::new(Flood::new(Clock::system()));
        let gate = Gate(Arc::clone(&flood));
        let log = tracing_subscriber::registry().with(filter).with(lines).with(gate);
        log.try_init().context("cannot start the log")?;
        // Not to standard error, as it would be: nobody may read that, and the log may be elsewhere.
        std::panic::set_hook(Box::new(log_panic));
        Ok(Self { level, flood, queue })
    }

    /// Changes what is important enough to be written.
    pub fn set_level(&self, wanted: LogLevel) {
        if self.level.modify(|filter| *filter = level(wanted)).is_err() {
            tracing::warn!("the log level could not be changed");
        }
    }

    /// For the end of the process: to be dropped after everything that may still write.
    pub fn last_lines(&self) -> LastLines {
        LastLines(self.queue.clone())
    }

    pub(crate) fn queue(&self) -> &LogQueue {
        &self.queue
    }

    /// Writes how many lines are missing since this was last called: because the same ones came too often, or because
    /// nobody read the log.
    pub fn report_missing(&self) {
        if let Some(lines) = self.queue.newly_lost() {
            tracing::warn!(
                lines,
                "lines were lost: there was no room for them while nobody read the log, or it could not be written"
            );
        }
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

fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let (thread, backtrace) = (thread.name().unwrap_or("unnamed"), Backtrace::capture());
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(thread, backtrace, "{panic}");
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
