use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use flywheel_api::{ApiKey, Exposure, HttpServer, Service};
use flywheel_config::{Changes, Config, Warning};
use flywheel_engine::MemoryEngine;
use flywheel_jwks::{HttpKeySets, Limits, Roots};
use flywheel_metrics::{Metrics, ReloadOutcome};
use flywheel_node::{DrainedBy, Node, NodeParts, Routes, ShardPost, Watchdog};
use flywheel_protocol::Disconnect;
use flywheel_runtime::{Clock, Random, Tasks};
use flywheel_transport::{Adopter, Door, Handoff, Reactor, Sessions, SessionsParts, adoptions, listen};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::engines::{Engines, Surroundings, settled};
use crate::kept::KeptConnections;
use crate::logging::LAST_LINES;
use crate::{ConfigSource, Logging, assemble, process, proxies};

/// A running server.
pub struct Server {
    config: Config,
    source: ConfigSource,
    logging: Arc<Logging>,
    runtime: Runtime,
    node: Arc<Node>,
    door: Arc<Door>,
    http: Arc<HttpServer>,
    shards: Vec<JoinHandle<()>>,
    /// Looks after the node until the process ends.
    watchdog: Watchdog,
    /// Set when a shard ended although nobody told it to.
    shard_failed: Arc<AtomicBool>,
    address: SocketAddr,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As it was told, with everything finished.
    Clean,
    /// The time for finishing ran out, or a shard failed.
    Forced,
}

/// How long a start waits for its engine at most, whatever `health.grace` is.
const SETTLE_MAX: Duration = Duration::from_secs(5);
const DRAIN_STEP: Duration = Duration::from_millis(50);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Part of the shutdown timeout that calls in flight may take before connections are closed.
const CALLS_SHARE: u32 = 3;

impl Server {
    /// Starts everything that `config`, loaded from `source`, asks for. It serves when this returns.
    ///
    /// # Errors
    /// An address cannot be listened on, a setting does not work out, or the system has no threads left.
    pub fn start(
        config: Config,
        source: ConfigSource,
        logging: Logging,
        version: &str,
    ) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shard_count =
            if config.node.shards == 0 { cores } else { config.node.shards }.min(Routes::SHARDS_MAX);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("flywheel-node")
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let clock = Clock::system();
        let random = Arc::new(Random::system());
        let tasks = Tasks::new(runtime.handle().clone());
        let metrics = Arc::new(Metrics::new(version));

        let (external, internal) = assemble::addresses(&config)?;
        let listeners = listen(external, shard_count)?;
        let address = listeners.first().map_or(Ok(external), std::net::TcpListener::local_addr)?;
        let polls: Vec<_> = (0..shard_count)
            .map(|_| Reactor::<Sessions>::poll_and_bell())
            .collect::<Result<_, _>>()
            .context("cannot create an epoll instance")?;
        let posts: Vec<_> =
            polls.iter().map(|(_, bell)| ShardPost::new(Arc::clone(bell), clock.now().at)).collect();
        let routes = Routes::new(posts.clone());
        let uid = flywheel_model::ClientId::from_random(random.next_u128()).to_string();
        let world =
            Surroundings { uid: &uid, routes: &routes, clock: &clock, random: &random, tasks: &tasks };
        let engines = Engines::start(&config, &world)?;
        let grace = assemble::health(&config).grace.min(SETTLE_MAX);
        runtime.block_on(settled(&*engines.dependencies, grace));
        let parts = NodeParts {
            uid: uid.clone(),
            name: config.node.name.clone().unwrap_or_else(|| default_name(address.port())),
            version: version.to_owned(),
            broker: engines.broker,
            presence: engines.presence,
            key_sets: Arc::new(HttpKeySets::new(
                clock.clone(),
                tasks.clone(),
                Limits::default(),
                Roots::System,
            )),
            control: engines.control,
            dependencies: engines.dependencies,
            health: assemble::health(&config),
            routes,
            clock: clock.clone(),
            tasks: tasks.clone(),
            metrics: Arc::clone(&metrics),
        };
        let mut access = assemble::access(&config)?;
        access.backends = proxies::backends(&config, &metrics, &clock)?;
        let node = Node::new(parts, assemble::settings(&config, version, &uid), access);
        let door = Door::new(assemble::door(&config)?);
        let dev = source.built_in.is_some();
        let key = ApiKey::new(config.http_api.key.clone(), config.http_api.insecure);
        let endpoints = assemble::endpoints(&config, dev)?;
        let service = Arc::new(Service::new(Arc::clone(&node), key, endpoints, config.http_api.external));
        let own_metrics = Arc::clone(&metrics);
        let redis = engines.redis;
        let log = logging.queue().clone();
        service.refresh_metrics_with(move || {
            own_metrics.process.set(&process::read());
            own_metrics.own.set_log_lines_lost(log.lost());
            own_metrics.redis.set(&redis.readings());
        });
        let http = Arc::new(HttpServer::new(service, tasks.clone()));
        let _in_runtime = runtime.enter();
        if let Some(internal) = internal {
            let listener = listen(internal, 1)?.pop().context("no internal listener")?;
            tracing::info!(address = %listener.local_addr()?, "listening for internal endpoints");
            http.accept(listener, Exposure::Internal)?;
        }
        let adoptions: Vec<_> = polls.iter().map(|(_, bell)| adoptions(Arc::clone(bell))).collect();
        http.upgrade_with(KeptConnections::new(Adopter::new(
            Arc::clone(&node),
            Arc::clone(&door),
            adoptions.clone(),
        )));
        let exposure = if internal.is_some() { Exposure::External } else { Exposure::Both };
        spawn_housekeeping(&tasks, &node, engines.memory);
        let log = logging.queue().clone();
        let end = move || {
            log.flush(LAST_LINES);
            std::process::abort();
        };
        let watchdog = Watchdog::start(&node, end).context("cannot start the watchdog's threads")?;
        #[cfg(debug_assertions)]
        crate::hang::on_signals(&node);
        node.join_cluster();
        node.measure_windows(config.node.info_metrics_aggregate_interval);

        let shard_failed = Arc::new(AtomicBool::new(false));
        let mut shards = Vec::with_capacity(shard_count);
        let parts = listeners.into_iter().zip(polls).zip(posts).zip(adoptions);
        for (shard, (((listener, (poll, bell)), post), adoptions)) in parts.enumerate() {
            let sessions = Sessions::new(SessionsParts {
                node: Arc::clone(&node),
                shard,
                post: Arc::clone(&post),
                door: Arc::clone(&door),
                random: Arc::clone(&random),
                queue_bytes_max: assemble::queue_bytes_max(&config),
                packing: assemble::packing(&config),
            });
            let http = Arc::clone(&http);
            let handoff = move |handoff: Handoff| http.serve(handoff.stream, handoff.read, exposure);
            let settings = assemble::reactor();
            let mut reactor = Reactor::new(listener, clock.clone(), settings, handoff, bell, poll, sessions)
                .context("cannot start a shard")?;
            reactor.adopt_from(adoptions);
            let panicked = Arc::clone(&metrics);
            reactor.on_panic(move || panicked.own.panicked());
            let failed = Arc::clone(&shard_failed);
            let thread = std::thread::Builder::new().name(format!("flywheel-shard-{shard}"));
            let body = move || {
                post.pulse.bind_thread();
                if let Err(error) = reactor.run(Sessions::control) {
                    tracing::error!(%error, shard, "a shard failed");
                    failed.store(true, Ordering::SeqCst);
                }
                post.pulse.rest();
            };
            shards.push(thread.spawn(body).context("cannot start a shard's thread")?);
        }
        tracing::info!(%address, shards = shard_count, version, "listening");
        if let Some(path) = &config.pid_file {
            std::fs::write(path, std::process::id().to_string())
                .with_context(|| format!("pid_file: {path}"))?;
        }
        let logging = logging.shared();
        Ok(Self {
            config,
            source,
            logging,
            runtime,
            node,
            door,
            http,
            shards,
            watchdog,
            shard_failed,
            address,
        })
    }

    /// Where it listens for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGINT or SIGTERM, reloads on SIGHUP.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub fn run(mut self) -> anyhow::Result<Exit> {
        let handle = self.runtime.handle().clone();
        let exit = handle.block_on(async {
            let told = self.serve().await?;
            anyhow::Ok(if told { self.stop().await } else { Exit::Forced })
        })?;
        drop(self.watchdog);
        self.runtime.shutdown_background();
        Ok(exit)
    }

    /// Serves until it is told to stop; answers `false` when it cannot serve any more.
    async fn serve(&mut self) -> anyhow::Result<bool> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut watch = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(true),
                _ = terminate.recv() => return Ok(true),
                _ = hangup.recv() => self.reload().await,
                _ = watch.tick() => {
                    self.logging.report_missing();
                    if self.shards.iter().any(JoinHandle::is_finished) || self.shard_failed.load(Ordering::SeqCst) {
                        tracing::error!("a shard has ended; a node without one of its shards is of no use");
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Reads the configuration again; takes over what can be, or nothing.
    async fn reload(&mut self) {
        match self.reloaded().await {
            Ok(config) => {
                let Changes { reloadable, needs_restart } = Changes::between(&self.config, &config);
                tracing::info!(changed = %reloadable.join(" "), "configuration reloaded");
                if !needs_restart.is_empty() {
                    tracing::warn!(keys = %needs_restart.join(" "), "these changes wait for a restart");
                }
                self.logging.set_level(config.log.level);
                self.node.metrics().own.reloaded(ReloadOutcome::Applied);
                self.config = config;
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(%error, "the configuration was not reloaded: the old one stays in force");
                self.node.metrics().own.reloaded(ReloadOutcome::Refused);
            }
        }
    }

    async fn reloaded(&self) -> anyhow::Result<Config> {
        let (loaded, _) = self.source.load()?;
        let config = loaded.config;
        // Everything that can fail comes first, so that it is all or nothing.
        let settings = assemble::settings(&config, self.node.version(), self.node.uid());
        let mut access = assemble::access(&config)?;
        access.backends = proxies::backends(&config, self.node.metrics(), self.node.clock())?;
        let mut door = assemble::door(&config)?;
        // Waits for a restart, like the rest of its section.
        let kept = self.door.settings();
        door.endpoints.clone_from(&kept.endpoints);
        door.emulation.clone_from(&kept.emulation);
        log_warnings(&loaded.warnings);
        self.door.reload(door);
        self.node.reload(settings, access).await;
        self.node.reload_health(assemble::health(&config));
        Ok(config)
    }

    /// Fails readiness, waits for load balancers to notice, and sends clients elsewhere bit by bit, while everything else
    /// goes on. Takes no time unless the configuration asks for some.
    async fn drain(&self) {
        let delay = self.config.shutdown.delay;
        if (delay + self.config.shutdown.spread).is_zero() {
            return;
        }
        // Listened for before anybody can see that the drain has begun.
        let told_again = told_again();
        let takes = self.node.drain(DrainedBy::Shutdown);
        let gone = async {
            let mut waited = Duration::ZERO;
            while waited < takes && (waited < delay || !self.node.is_empty_of_clients()) {
                tokio::time::sleep(DRAIN_STEP).await;
                waited += DRAIN_STEP;
            }
        };
        tokio::select! {
            () = gone => {}
            () = told_again => tracing::info!("told again to stop: the drain is cut short"),
        }
    }

    /// Finishes calls in flight, closes clients, waits for all tasks; at most for `shutdown.timeout`.
    async fn stop(&self) -> Exit {
        let timeout = self.config.shutdown.timeout;
        tracing::info!("shutting down");
        let finish = async {
            self.drain().await;
            self.http.stop();
            let patience = timeout / CALLS_SHARE;
            let mut waited = Duration::ZERO;
            while self.http.open_connections() > 0 && waited < patience {
                tokio::time::sleep(Duration::from_millis(5)).await;
                waited += Duration::from_millis(5);
            }
            self.node.shut_down(&Disconnect::SHUTDOWN, timeout / CALLS_SHARE).await;
            self.node.leave_cluster().await;
            self.node.tasks().join(timeout / CALLS_SHARE).await
        };
        let finished = tokio::time::timeout(timeout, finish).await;
        if let Some(path) = &self.config.pid_file
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(%error, "cannot remove the PID file");
        }
        if let Ok(true) = finished {
            tracing::info!("stopped");
            Exit::Clean
        } else {
            tracing::error!("the shutdown timeout ran out");
            Exit::Forced
        }
    }
}

/// Waits for another signal to stop; one that comes before the wait begins counts.
fn told_again() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Writes what the operator should know about a configuration into the log.
pub fn log_warnings(warnings: &[Warning]) {
    for warning in warnings {
        tracing::warn!(key = warning.key(), "{warning}");
    }
}

/// Expires what the memory engine keeps, and keeps the gauges of the node up to date.
fn spawn_housekeeping(tasks: &Tasks, node: &Arc<Node>, memory: Option<Arc<MemoryEngine>>) {
    let node = Arc::downgrade(node);
    tasks.spawn_background(async move {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            let Some(node) = node.upgrade() else { return };
            if let Some(memory) = &memory {
                memory.sweep();
                let used = memory.memory_use();
                node.metrics().own.set_memory_engine(used.bytes, used.streams, used.present);
            }
            let info = node.own_info();
            let gauges = &node.metrics().node;
            gauges.set_clients(info.clients);
            gauges.set_users(info.users);
            gauges.set_subscriptions(info.subscriptions);
            gauges.set_channels(info.channels);
        }
    });
}

/// As in the reference: host name and port.
fn default_name(port: u16) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => format!("localhost_{port}"),
        host => format!("{host}_{port}"),
    }
}
