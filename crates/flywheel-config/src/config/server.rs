use std::time::Duration;

use crate::view::View;

/// Listeners. Config section `http_server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpServer {
    /// Address to listen on; empty means all.
    pub address: String,
    /// Port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Address of the internal listener; empty means `address`.
    pub internal_address: String,
    /// Port of the internal listener; `None` means `port`. With the same address and port there is one listener.
    pub internal_port: Option<u16>,
}

/// What is written to the log. Config section `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The least important line that is written.
    pub level: LogLevel,
    /// File to append to; `None` means standard error.
    pub file: Option<String>,
}

/// How important a line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Nothing is written.
    None,
    /// Everything.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What an operator may want to know.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
    /// What ends the process.
    Fatal,
}

/// Who this node is. Config section `node`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name; `None` leaves it to the server, which takes host name and port.
    pub name: Option<String>,
    /// Threads that own connections; 0 means one per core. At most 1024.
    pub shards: usize,
    /// Window of the numbers that `info` shows; zero shows none.
    pub info_metrics_aggregate_interval: Duration,
    /// A node that was not ready for so long sends its clients to nodes that are; `None` never.
    pub hand_over_after: Option<Duration>,
}

/// How a node ends. Config section `shutdown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// Time to say goodbye in; zero exits at once.
    pub timeout: Duration,
    /// Time between failing readiness and sending clients away.
    pub delay: Duration,
    /// Time over which clients are sent away.
    pub spread: Duration,
}

/// How health is judged. Config section `health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// A fault counts when it has lasted this long.
    pub grace: Duration,
    /// Only faults that another node does not have count. Written as `own`.
    pub own_faults_only: bool,
    /// A thread that has not turned for so long is stuck.
    pub stuck_after: Duration,
    /// A process one of whose threads has not turned for so long is ended; `None` never.
    pub abort_after: Option<Duration>,
}

impl HttpServer {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            address: view.text("address").to_owned(),
            port: u16::try_from(view.int("port")).unwrap_or(0),
            internal_address: view.text("internal_address").to_owned(),
            internal_port: view.text("internal_port").parse().ok(),
        }
    }
}

impl Log {
    pub(super) fn read(view: &View<'_>) -> Self {
        let level = match view.text("level").to_lowercase().as_str() {
            "none" => LogLevel::None,
            "trace" => LogLevel::Trace,
            "debug" => LogLevel::Debug,
            "warn" => LogLevel::Warn,
            "error" => LogLevel::Error,
            "fatal" => LogLevel::Fatal,
            _ => LogLevel::Info,
        };
        Self { level, file: view.some_text("file") }
    }
}

impl Node {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            name: view.some_text("name"),
            shards: view.size("shards"),
            info_metrics_aggregate_interval: view.time("info_metrics_aggregate_interval"),
            hand_over_after: view.some_time("hand_over_after"),
        }
    }
}

impl Shutdown {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self { timeout: view.time("timeout"), delay: view.time("delay"), spread: view.time("spread") }
    }
}

impl Readiness {
    pub(super) fn read(view: &View<'_>) -> Self {
        Self {
            grace: view.time("grace"),
            own_faults_only: view.text("scope") == "own",
            stuck_after: view.time("stuck_after"),
            abort_after: view.some_time("abort_after"),
        }
    }
}
